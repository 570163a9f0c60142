//! Colours, and whether one can be read on another (WCAG 2.2, relative luminance and contrast).

use std::fmt;
use std::str::FromStr;

/// A colour of a screen: red, green, blue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Colour(pub(super) [u8; 3]);

/// The text is no colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a colour is written as # and six hexadecimal digits, such as #0b5fff")]
pub struct NotAColour;

impl Colour {
    /// From 1, which cannot be told apart, to 21.
    pub fn contrast(self, other: Self) -> f64 {
        let (one, two) = (self.luminance(), other.luminance());
        (one.max(two) + 0.05) / (one.min(two) + 0.05)
    }

    /// This colour, so many hundredths of the way to another.
    pub(super) fn towards(self, other: Self, hundredths: u8) -> Self {
        let mix = |index: usize| {
            let (from, to) = (f64::from(self.0[index]), f64::from(other.0[index]));
            let mixed = from + (to - from) * f64::from(hundredths.min(100)) / 100.0;
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "what lies between two bytes is one"
            )]
            let byte = mixed.round() as u8;
            byte
        };
        Self([mix(0), mix(1), mix(2)])
    }

    fn luminance(self) -> f64 {
        let linear = |byte: u8| {
            let share = f64::from(byte) / 255.0;
            if share <= 0.040_45 {
                share / 12.92
            } else {
                ((share + 0.055) / 1.055).powf(2.4)
            }
        };
        let [red, green, blue] = self.0.map(linear);
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }
}

impl FromStr for Colour {
    type Err = NotAColour;

    fn from_str(text: &str) -> Result<Self, NotAColour> {
        let digits = text.strip_prefix('#').ok_or(NotAColour)?;
        if digits.len() != 6 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(NotAColour);
        }
        let number = u32::from_str_radix(digits, 16).map_err(|_| NotAColour)?;
        let [_, red, green, blue] = number.to_be_bytes();
        Ok(Self([red, green, blue]))
    }
}

impl fmt::Display for Colour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [red, green, blue] = self.0;
        write!(f, "#{red:02x}{green:02x}{blue:02x}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn colour(text: &str) -> Colour {
        text.parse().unwrap()
    }

    #[test]
    fn contrast_is_that_of_wcag() {
        let ratio = |one: &str, two: &str| (colour(one).contrast(colour(two)) * 100.0).round();
        assert_eq!(ratio("#000000", "#ffffff"), 2100.0);
        assert_eq!(ratio("#ffffff", "#ffffff"), 100.0);
        // The least grey that can be read on white.
        assert_eq!(ratio("#767676", "#ffffff"), 454.0);
        assert_eq!(ratio("#0000ff", "#ffffff"), 859.0);
    }

    #[test]
    fn colours_survive_their_text_form_and_odd_spellings_are_refused() {
        assert_eq!(colour("#0B5fff").to_string(), "#0b5fff");
        for text in [
            "", "#fff", "0b5fff", "#0b5ff", "#0b5fffa", "#+b5fff", "blue",
        ] {
            assert_eq!(text.parse::<Colour>(), Err(NotAColour), "{text}");
        }
    }
}
