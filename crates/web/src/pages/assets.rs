//! Styles, scripts and pictures, each under a name with the hash of its content, so that browsers keep it for ever and never
//! have an old one.

use std::collections::BTreeMap;

use oyez_jose::sha256;
use oyez_outbound::Bytes;

use super::brand::{Brand, LogoKind};

/// What pages are made with, besides themselves.
pub(crate) struct Assets {
    files: BTreeMap<String, Asset>,
    names: BTreeMap<&'static str, String>,
}

/// One file.
#[derive(Debug, Clone)]
pub(crate) struct Asset {
    pub(crate) content_type: &'static str,
    pub(crate) bytes: Bytes,
}

impl Assets {
    /// Ours, and the bank's logo and colours.
    pub(crate) fn new(brand: &Brand) -> Self {
        let mut assets = Self {
            files: BTreeMap::new(),
            names: BTreeMap::new(),
        };
        for (name, bytes) in OURS {
            assets.add(name, Bytes::from_static(bytes));
        }
        assets.add("brand.css", colours(brand).into());
        if let Some(logo) = &brand.logo {
            let name = match logo.kind {
                LogoKind::Png => "logo.png",
                LogoKind::Svg => "logo.svg",
            };
            assets.add(name, logo.bytes.clone().into());
        }
        assets
    }

    /// By the name in an address.
    pub(crate) fn find(&self, file: &str) -> Option<&Asset> {
        self.files.get(file)
    }

    /// The name in an address of what we call this, if it is there.
    pub(crate) fn file(&self, name: &str) -> Option<&str> {
        self.names.get(name).map(String::as_str)
    }

    /// The logo's name in an address.
    pub(crate) fn logo(&self) -> Option<&str> {
        self.file("logo.svg").or_else(|| self.file("logo.png"))
    }

    fn add(&mut self, name: &'static str, bytes: Bytes) {
        let (stem, ending) = name.rsplit_once('.').expect("our names have endings");
        let hash: String = sha256(&bytes)[..HASH_BYTES]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let file = format!("{stem}-{hash}.{ending}");
        self.names.insert(name, file.clone());
        let content_type = match ending {
            "css" => "text/css; charset=utf-8",
            "js" => "text/javascript; charset=utf-8",
            "svg" => "image/svg+xml",
            _ => "image/png",
        };
        self.files.insert(
            file,
            Asset {
                content_type,
                bytes,
            },
        );
    }
}

/// The bank's colours as a stylesheet: nothing may stand in the page itself.
fn colours(brand: &Brand) -> String {
    let (light, dark) = (brand.accent.light, brand.accent.dark);
    format!(
        ":root {{ --accent: {light}; }}\n@media (prefers-color-scheme: dark) {{ :root {{ --accent: {dark}; }} }}\n\
         @media print {{ :root {{ --accent: {light}; }} }}\n"
    )
}

const OURS: [(&str, &[u8]); 7] = [
    ("console.css", include_bytes!("assets/console.css")),
    ("live.js", include_bytes!("assets/live.js")),
    ("pages.css", include_bytes!("assets/pages.css")),
    ("copy.js", include_bytes!("assets/copy.js")),
    ("check.js", include_bytes!("assets/check.js")),
    ("status.js", include_bytes!("assets/status.js")),
    ("icon.svg", include_bytes!("assets/icon.svg")),
];

/// 64 bits tell any two of our files apart.
const HASH_BYTES: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::{Accent, Logo};

    // W-01
    #[test]
    fn a_file_is_served_under_the_hash_of_its_content() {
        let brand = |accent: Accent, logo: Option<&str>| Brand {
            name: "Bank".to_owned(),
            logo: logo.map(|text| Logo::new(text.into()).unwrap()),
            accent,
        };
        let plain = Assets::new(&brand(Accent::default(), None));
        assert_eq!(plain.logo(), None);
        let other = Accent::new("#a00000".parse().unwrap(), "#ffb0b0".parse().unwrap()).unwrap();
        let own = Assets::new(&brand(other, Some("<svg/>").map(|_| "<svg ></svg>")));
        assert_ne!(plain.file("brand.css"), own.file("brand.css"));
        assert_eq!(plain.file("pages.css"), own.file("pages.css"));
        let logo = own.find(own.logo().unwrap()).unwrap();
        assert_eq!(logo.content_type, "image/svg+xml");
        let css = own.find(own.file("brand.css").unwrap()).unwrap();
        assert!(css.bytes.starts_with(b":root { --accent: #a00000; }"));
        assert!(plain.find("pages.css").is_none());
    }
}
