//! What pages for people share: a frame, assets, headers, and the bank's looks.
//!
//! Pages are made on the server by [`maud`], which the compiler checks and which escapes everything that is not said to be
//! markup. Nothing is fetched from elsewhere: styles and scripts are in the binary, and are served under names that change with
//! their content. A page works without its scripts, by keyboard, on a narrow screen, in the dark and on paper; scripts copy,
//! check and refresh, and never make the page.
//!
//! Absent here: what pages say, and who may see them.

mod assets;
mod brand;
mod colour;
mod frame;
mod headers;

pub use brand::{Accent, BadLogo, Brand, LOGO_BYTES_MAX, Logo, Scheme, Unreadable};
pub use colour::{Colour, NotAColour};

pub(crate) use assets::Assets;
pub(crate) use frame::{Frame, code, code_block, frame, sentence};
pub(crate) use headers::{IMMUTABLE, page_headers};
