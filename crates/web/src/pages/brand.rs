//! The bank's looks: a name, a logo, and a colour for each scheme that can be read on the pages' own.

use std::fmt;

use super::colour::Colour;

/// How the bank presents itself.
#[derive(Debug, Clone)]
pub struct Brand {
    /// What it is called.
    pub name: String,
    /// Its logo, if it has one.
    pub logo: Option<Logo>,
    /// Its colour.
    pub accent: Accent,
}

/// A picture, small enough and of a type that browsers show without running anything.
#[derive(Debug, Clone)]
pub struct Logo {
    pub(super) bytes: Vec<u8>,
    pub(super) kind: LogoKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LogoKind {
    Png,
    Svg,
}

/// Why a file is no logo.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadLogo {
    /// It takes too long to load.
    #[error("a logo has at most {} KiB", LOGO_BYTES_MAX / 1024)]
    TooLarge,
    /// It is nothing that we serve.
    #[error("a logo is a PNG or an SVG")]
    Unknown,
}

/// The colour of links and buttons, in light and in darkness.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accent {
    pub(super) light: Colour,
    pub(super) dark: Colour,
}

/// Light or dark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// Dark on light.
    Light,
    /// Light on dark.
    Dark,
}

/// A colour that cannot be read on the pages.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[error(
    "has a contrast of {contrast:.1} to the {scheme} pages, and 4.5 is the least that can be read (WCAG AA)"
)]
pub struct Unreadable {
    /// Where.
    pub scheme: Scheme,
    /// To the worst of what it stands on.
    pub contrast: f64,
    /// The nearest of its kind that can be read.
    pub nearest: Colour,
}

impl Logo {
    /// Of the bytes of a file.
    pub fn new(bytes: Vec<u8>) -> Result<Self, BadLogo> {
        if bytes.len() > LOGO_BYTES_MAX {
            return Err(BadLogo::TooLarge);
        }
        let kind = if bytes.starts_with(PNG_SIGNATURE) {
            LogoKind::Png
        } else if is_svg(&bytes) {
            LogoKind::Svg
        } else {
            return Err(BadLogo::Unknown);
        };
        Ok(Self { bytes, kind })
    }
}

/// A document whose first element is `svg`, after nothing but white space, comments and declarations. What else it holds does not
/// matter: it is only ever shown as a picture, and served under a policy that runs nothing.
fn is_svg(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return false;
    };
    let mut rest = text.trim_start_matches('\u{feff}').trim_start();
    while let Some(declared) = rest.strip_prefix("<?").or_else(|| rest.strip_prefix("<!")) {
        let end = if declared.starts_with("--") {
            "-->"
        } else {
            ">"
        };
        let Some((_, after)) = declared.split_once(end) else {
            return false;
        };
        rest = after.trim_start();
    }
    rest.strip_prefix("<svg")
        .is_some_and(|rest| rest.starts_with([' ', '>', '\n', '\t', '\r']))
}

impl Accent {
    /// Both, if each can be read as a link on every surface of its scheme.
    pub fn new(light: Colour, dark: Colour) -> Result<Self, Unreadable> {
        Scheme::Light.check(light)?;
        Scheme::Dark.check(dark)?;
        Ok(Self { light, dark })
    }

    /// The one of a scheme.
    pub const fn of(self, scheme: Scheme) -> Colour {
        match scheme {
            Scheme::Light => self.light,
            Scheme::Dark => self.dark,
        }
    }
}

/// A blue that belongs to nobody.
impl Default for Accent {
    fn default() -> Self {
        Self {
            light: ACCENT_LIGHT,
            dark: ACCENT_DARK,
        }
    }
}

impl Scheme {
    /// Whether a colour can be read on its surfaces. Text on the colour has that of the page, so that one check holds for both.
    pub fn check(self, colour: Colour) -> Result<(), Unreadable> {
        let contrast = self.contrast(colour);
        if contrast >= CONTRAST_MIN {
            return Ok(());
        }
        let away = match self {
            Self::Light => BLACK,
            Self::Dark => WHITE,
        };
        let mut nearer = (1..=100).map(|hundredths| colour.towards(away, hundredths));
        Err(Unreadable {
            scheme: self,
            contrast,
            nearest: nearer
                .find(|colour| self.contrast(*colour) >= CONTRAST_MIN)
                .unwrap_or(away),
        })
    }

    fn contrast(self, colour: Colour) -> f64 {
        let surfaces = match self {
            Self::Light => LIGHT_SURFACES,
            Self::Dark => DARK_SURFACES,
        };
        let contrasts = surfaces.map(|surface| colour.contrast(surface));
        contrasts.into_iter().fold(f64::INFINITY, f64::min)
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Light => "light",
            Self::Dark => "dark",
        })
    }
}

/// A logo is some KiB; what is larger is a photograph.
pub const LOGO_BYTES_MAX: usize = 256 * 1024;
const PNG_SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";

/// WCAG 2.2 AA, text of any size.
const CONTRAST_MIN: f64 = 4.5;
const BLACK: Colour = Colour([0, 0, 0]);
const WHITE: Colour = Colour([0xff, 0xff, 0xff]);

/// What the stylesheet puts behind text: page, panel, code.
const LIGHT_SURFACES: [Colour; 3] = [
    WHITE,
    Colour([0xf6, 0xf7, 0xf9]),
    Colour([0xee, 0xf0, 0xf3]),
];
const DARK_SURFACES: [Colour; 3] = [
    Colour([0x10, 0x14, 0x19]),
    Colour([0x17, 0x1c, 0x23]),
    Colour([0x20, 0x27, 0x30]),
];
const ACCENT_LIGHT: Colour = Colour([0x1f, 0x55, 0xb5]);
const ACCENT_DARK: Colour = Colour([0x8a, 0xb4, 0xf8]);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_surfaces_are_those_of_the_stylesheet() {
        let css = include_str!("assets/pages.css");
        let (light, dark) = css.split_once("prefers-color-scheme: dark").unwrap();
        let names = ["--page", "--panel", "--code"];
        for (text, surfaces) in [(light, LIGHT_SURFACES), (dark, DARK_SURFACES)] {
            for (name, colour) in names.iter().zip(surfaces) {
                assert!(
                    text.contains(&format!("{name}: {colour};")),
                    "{name} {colour}"
                );
            }
        }
        let Accent { light, dark } = Accent::default();
        assert_eq!(Accent::new(light, dark), Ok(Accent::default()));
    }

    // W-01
    #[test]
    fn a_colour_that_cannot_be_read_is_refused_with_one_that_can() {
        let yellow: Colour = "#ffd400".parse().unwrap();
        let refused = Accent::new(yellow, ACCENT_DARK).unwrap_err();
        assert_eq!(refused.scheme, Scheme::Light);
        assert!(refused.contrast < 1.5);
        assert!(Scheme::Light.check(refused.nearest).is_ok());
        assert!(Scheme::Dark.check(yellow).is_ok());
        let navy: Colour = "#001155".parse().unwrap();
        let refused = Accent::new(navy, navy).unwrap_err();
        assert_eq!(refused.scheme, Scheme::Dark);
        assert!(Accent::new(navy, refused.nearest).is_ok());
    }

    #[test]
    fn a_logo_is_a_small_png_or_svg() {
        let svg =
            "\u{feff}<?xml version=\"1.0\"?><!DOCTYPE svg><!-- a > b -->\n<svg viewBox='0 0 1 1'/>";
        assert_eq!(Logo::new(svg.into()).unwrap().kind, LogoKind::Svg);
        let png = [PNG_SIGNATURE, &[0]].concat();
        assert_eq!(Logo::new(png.clone()).unwrap().kind, LogoKind::Png);
        for other in ["", "GIF89a", "<html><svg/></html>", "<svgx/>", "<!--"] {
            assert_eq!(
                Logo::new(other.into()).unwrap_err(),
                BadLogo::Unknown,
                "{other}"
            );
        }
        let mut large = png;
        large.resize(LOGO_BYTES_MAX + 1, 0);
        assert_eq!(Logo::new(large).unwrap_err(), BadLogo::TooLarge);
    }
}
