//! The request budget as the command line has it.

use std::time::Duration;

use crate::yaml::rate::Rate;

/// Time between two requests. One that was signed waits for those of all scenarios beside it, several times where it is sent again.
const MOST_BETWEEN: Duration = Duration::from_mins(1);

/// The budget on a real target, where none is given: a quarter below the app's limit of 200.
pub const USUAL: Rate = Rate::a_second(150);

/// A budget, or none.
#[derive(Clone, Copy, Debug)]
pub enum RequestRate {
    Limited(Rate),
    Unlimited,
}

impl RequestRate {
    /// The budget of a run; the embedded endpoint needs none.
    pub fn budget(asked: Option<RequestRate>, is_embedded: bool) -> Option<Rate> {
        match asked {
            Some(RequestRate::Limited(rate)) => Some(rate),
            Some(RequestRate::Unlimited) => None,
            None if is_embedded => None,
            None => Some(USUAL),
        }
    }
}

pub fn request_rate(text: &str) -> Result<RequestRate, String> {
    if text == "none" {
        return Ok(RequestRate::Unlimited);
    }
    let rate = Rate::of_argument(text).map_err(|told| format!("{told}; none lifts the limit"))?;
    if rate.time(1) > MOST_BETWEEN {
        return Err("write 1/m or more: a request that waits for longer has no valid signature in the end".to_owned());
    }
    Ok(RequestRate::Limited(rate))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_under_which_signatures_run_out_is_refused() {
        for taken in ["1/m", "60/h", "0.1/6s", "150", "none"] {
            assert!(request_rate(taken).is_ok(), "{taken}");
        }
        for refused in ["59/h", "1/61s", "0.01"] {
            assert!(request_rate(refused).is_err_and(|why| why.starts_with("write 1/m or more")), "{refused}");
        }
    }
}
