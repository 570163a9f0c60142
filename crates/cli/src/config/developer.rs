//! The developer pages: what they say that follows from nothing else.

use std::path::PathBuf;

use oyez_web::pages::{Accent, Colour, Scheme, Unreadable};

use super::form::{File, parsed};
use super::section::{default, optional, section};
use super::text::{ContactUrl, DisplayName, HttpUrl};

section! {
    /// The pages for TPPs' developers, `/developer` on the listener for TPPs: everything that TPPs must know, as it is configured
    /// (W-01).
    Developer = "developer" {
        /// What the bank is called there; without it, by the host of its `base_url`.
        name: Option<DisplayName> = optional("\"Example Bank\"", parsed("1 to 64 characters"));
        /// Its logo: a PNG or an SVG of at most 256 KiB. It is read at the start alone.
        logo: Option<PathBuf> = optional("\"logo.svg\"", File("a PNG or an SVG"));
        /// The colour of links and buttons. One that cannot be read on white is refused.
        accent: Colour = default(Accent::default().of(Scheme::Light), parsed(COLOUR));
        /// The same where people prefer it dark.
        accent_dark: Colour = default(Accent::default().of(Scheme::Dark), parsed(COLOUR));
        /// Whom TPPs ask.
        contact: Option<ContactUrl> = optional("\"mailto:open-banking@bank.example\"", parsed("a mailto: or https: URL"));
        /// Where TPPs get their access tokens.
        token_url: Option<HttpUrl> = optional("\"https://auth.bank.example/token\"", parsed("an https URL"));
    }
}

impl Developer {
    /// The colours, each of which was judged when it was read.
    pub(crate) fn accent(&self) -> Accent {
        Accent::new(self.accent, self.accent_dark).expect("reading refused what cannot be read")
    }

    /// What is wrong with each colour, by its key.
    pub(super) fn unreadable(&self) -> impl Iterator<Item = (&'static str, Unreadable)> {
        let colours = [
            ("accent", Scheme::Light.check(self.accent)),
            ("accent_dark", Scheme::Dark.check(self.accent_dark)),
        ];
        let wrong = |(key, judged): (_, Result<(), _>)| Some((key, judged.err()?));
        colours.into_iter().filter_map(wrong)
    }
}

const COLOUR: &str = "a colour such as \"#0b5fff\"";
