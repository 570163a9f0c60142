//! Callback-urls (C): the older way to be told of resource-updates, and of nothing else.

use oyez_domain::registration::CallbackUrlWish;
use serde::{Deserialize, Serialize};

use crate::bank::{Answer, Bank};
use crate::error::Error;
use crate::resource::Resource;

/// The callback-urls of one TPP at one bank; the standard allows it one.
#[derive(Clone, Copy)]
pub struct CallbackUrls<'b>(Resource<'b>);

/// A callback-url as the bank has it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct CallbackUrl {
    /// The bank's name for it.
    #[serde(rename = "CallbackUrlId")]
    pub id: String,
    /// Where it pushes to.
    pub url: String,
    /// The version, as the bank writes it.
    pub version: String,
}

/// A bank with nothing to list may leave the list out.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct List {
    #[serde(default)]
    callback_url: Vec<CallbackUrl>,
}

/// The same in POST and PUT: the standard's schema has no place for an id.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Outgoing<'a> {
    url: &'a str,
    version: String,
}

impl<'b> CallbackUrls<'b> {
    pub(crate) fn of(bank: &'b Bank) -> Self {
        Self(Resource::new(bank, &bank.row().paths.callback_urls))
    }

    /// Registers.
    pub async fn create(self, wish: &CallbackUrlWish) -> Result<Answer<CallbackUrl>, Error> {
        self.0.create(Outgoing::from(wish)).await
    }

    /// All there are: none or one.
    pub async fn read(self) -> Result<Answer<Vec<CallbackUrl>>, Error> {
        let answer: Answer<List> = self.0.read().await?;
        Ok(answer.map(|list| list.callback_url))
    }

    /// Replaces one as a whole.
    pub async fn update(
        self,
        id: &str,
        wish: &CallbackUrlWish,
    ) -> Result<Answer<CallbackUrl>, Error> {
        self.0.update(id, Outgoing::from(wish)).await
    }

    /// Takes one back.
    pub async fn delete(self, id: &str) -> Result<Answer<()>, Error> {
        self.0.delete(id).await
    }
}

impl<'a> From<&'a CallbackUrlWish> for Outgoing<'a> {
    fn from(wish: &'a CallbackUrlWish) -> Self {
        Self {
            url: &wish.url,
            version: wish.version.to_string(),
        }
    }
}
