//! The frame around every page: landmarks, a skip link, the bank's name and logo, navigation.

use maud::{DOCTYPE, Markup, html};

use super::assets::Assets;
use super::brand::Brand;

/// A page in its frame.
pub(crate) struct Frame<'a> {
    /// Of the window; the bank's name follows.
    pub(crate) title: &'a str,
    pub(crate) brand: &'a Brand,
    pub(crate) assets: &'a Assets,
    /// What stands before the name of an asset: `developer/assets/`. Relative, so that it works below any path.
    pub(crate) assets_at: &'a str,
    /// What the name of the bank leads to.
    pub(crate) home: &'a str,
    /// What this set of pages is called.
    pub(crate) place: &'a str,
    /// Links of the header.
    pub(crate) links: &'a [(&'a str, &'a str)],
    /// What stands in the header besides.
    pub(crate) tools: Option<Markup>,
    /// The contents, beside the page.
    pub(crate) contents: Option<Markup>,
    /// The page.
    pub(crate) main: Markup,
    /// Stylesheets beside those of all pages, by our names.
    pub(crate) styles: &'a [&'a str],
    /// Scripts by our names.
    pub(crate) scripts: &'a [&'a str],
}

/// The whole document.
pub(crate) fn frame(page: &Frame<'_>) -> Markup {
    let at = |name: &str| {
        let file = page.assets.file(name).unwrap_or_default();
        format!("{}{file}", page.assets_at)
    };
    let logo = page
        .assets
        .logo()
        .map(|file| format!("{}{file}", page.assets_at));
    html! {
        (DOCTYPE)
        html lang="en-GB" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (page.title) " · " (page.brand.name) }
                link rel="icon" href=(at("icon.svg")) type="image/svg+xml";
                link rel="stylesheet" href=(at("pages.css"));
                link rel="stylesheet" href=(at("brand.css"));
                @for style in page.styles { link rel="stylesheet" href=(at(style)); }
                @for script in page.scripts {
                    script src=(at(script)) defer {}
                }
            }
            body {
                a.skip href="#main" { "Skip to the content" }
                header.top {
                    a.brand href=(page.home) {
                        @if let Some(logo) = logo { img src=(logo) alt="" height="32"; }
                        span.bank { (page.brand.name) }
                        span.place { (page.place) }
                    }
                    @if let Some(tools) = &page.tools { (tools) }
                    @if !page.links.is_empty() {
                        nav aria-label="Pages" {
                            @for (text, href) in page.links { a href=(href) { (text) } }
                        }
                    }
                }
                div.columns[page.contents.is_some()] {
                    @if let Some(contents) = &page.contents {
                        nav.contents aria-label="On this page" { (contents) }
                    }
                    main id="main" tabindex="-1" { (page.main) }
                }
                footer.bottom { p { "Served by oyez " (env!("CARGO_PKG_VERSION")) "." } }
            }
        }
    }
}

/// A word of code.
pub(crate) fn code(text: impl AsRef<str>) -> Markup {
    html! { code { (text.as_ref()) } }
}

/// Code to be read and copied. `what` says what it is, to those who do not see the button's place.
pub(crate) fn code_block(what: &str, text: &str) -> Markup {
    html! {
        div.code {
            // Scrolls inside, so it must be reachable by keyboard.
            pre tabindex="0" role="group" aria-label=(what) { code { (text) } }
            button.copy type="button" hidden data-copy="" { "Copy" span.unseen { " " (what) } }
        }
    }
}

/// A text that begins small and ends open, as a sentence.
pub(crate) fn sentence(text: &str) -> String {
    let mut rest = text.trim().chars();
    let first = rest.next().map(|one| one.to_uppercase().to_string());
    let whole = first.unwrap_or_default() + rest.as_str();
    if whole.ends_with(['.', '!', '?']) {
        whole
    } else {
        whole + "."
    }
}
