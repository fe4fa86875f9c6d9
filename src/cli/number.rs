//! Whole numbers on the command line, told in plain words where they are none.

use std::num::NonZeroU32;

/// Reads a whole number from `least` to `most`; a type that holds less than `most` is a bound, too.
pub fn whole<T: TryFrom<u64>>(least: u64, most: u64) -> impl Fn(&str) -> Result<T, String> + Clone {
    move |text| {
        let number = text.parse().ok().filter(|number| (least..=most).contains(number));
        number.and_then(|number| T::try_from(number).ok()).ok_or_else(|| match most {
            u64::MAX => format!("write a whole number, {least} or more"),
            _ => format!("write a whole number from {least} to {most}"),
        })
    }
}

/// Reads how many of something there are to be: one, at least.
pub fn count(most: u32) -> impl Fn(&str) -> Result<NonZeroU32, String> + Clone {
    let number = whole::<u32>(1, most.into());
    move |text| number(text).map(|number| NonZeroU32::MIN.saturating_add(number - 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_out_of_its_range_is_told_the_range() {
        assert_eq!((whole::<u16>(1, 60)("60"), count(9)("9").map(NonZeroU32::get)), (Ok(60), Ok(9)));
        for wrong in ["0", "61", "-1", "1.5", "many", "", "99999999999999999999"] {
            assert_eq!(whole::<u16>(1, 60)(wrong), Err("write a whole number from 1 to 60".to_owned()), "{wrong}");
            assert_eq!(count(60)(wrong), Err("write a whole number from 1 to 60".to_owned()), "{wrong}");
        }
        assert_eq!(whole::<u64>(1, u64::MAX)("0"), Err("write a whole number, 1 or more".to_owned()));
    }
}
