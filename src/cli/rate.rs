//! The request budget as the command line has it.

use crate::yaml::rate::Rate;

/// A budget, or none.
#[derive(Clone, Copy, Debug)]
pub enum RequestRate {
    Limited(Rate),
    Unlimited,
}

impl RequestRate {
    /// The budget of a run; the embedded endpoint needs none, and any other gets `usual` where nothing is said.
    pub fn budget(asked: Option<RequestRate>, is_embedded: bool, usual: Rate) -> Option<Rate> {
        match asked {
            Some(RequestRate::Limited(rate)) => Some(rate),
            Some(RequestRate::Unlimited) => None,
            None if is_embedded => None,
            None => Some(usual),
        }
    }
}

pub fn request_rate(text: &str) -> Result<RequestRate, String> {
    if text == "none" {
        return Ok(RequestRate::Unlimited);
    }
    Rate::of_argument(text).map(RequestRate::Limited).map_err(|told| format!("{told}; none lifts the limit"))
}
