//! What event-subscriptions and callback-urls have in common: four calls on one path, signed alike, each body a `Data`.

use hyper::Method;
use hyper::body::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::bank::{Answer, Bank};
use crate::call::{Call, Signed};
use crate::error::Error;

/// One of the two.
#[derive(Clone, Copy)]
pub(crate) struct Resource<'b> {
    bank: &'b Bank,
    path: &'b str,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Document<T> {
    data: T,
}

impl<'b> Resource<'b> {
    pub(crate) fn new(bank: &'b Bank, path: &'b str) -> Self {
        Self { bank, path }
    }

    pub(crate) async fn create<T>(self, data: impl Serialize) -> Result<Answer<T>, Error>
    where
        T: DeserializeOwned,
    {
        self.write(Method::POST, self.path.to_owned(), data).await
    }

    pub(crate) async fn read<T: DeserializeOwned>(self) -> Result<Answer<T>, Error> {
        let call = self.call(Method::GET, self.path.to_owned(), Signed::Answer);
        self.data(&call).await
    }

    pub(crate) async fn update<T>(self, id: &str, data: impl Serialize) -> Result<Answer<T>, Error>
    where
        T: DeserializeOwned,
    {
        self.write(Method::PUT, self.path_of(id), data).await
    }

    pub(crate) async fn delete(self, id: &str) -> Result<Answer<()>, Error> {
        let call = self.call(Method::DELETE, self.path_of(id), Signed::Nothing);
        self.bank.order(&call).await
    }

    async fn write<T>(
        self,
        method: Method,
        path: String,
        data: impl Serialize,
    ) -> Result<Answer<T>, Error>
    where
        T: DeserializeOwned,
    {
        let body = serde_json::to_vec(&Document { data }).expect("texts are always JSON");
        let call = Call {
            body: body.into(),
            ..self.call(method, path, Signed::Both)
        };
        self.data(&call).await
    }

    async fn data<T: DeserializeOwned>(self, call: &Call) -> Result<Answer<T>, Error> {
        let answer: Answer<Document<T>> = self.bank.call(call).await?;
        Ok(answer.map(|document| document.data))
    }

    fn call(self, method: Method, path: String, signed: Signed) -> Call {
        Call {
            method,
            path,
            body: Bytes::new(),
            signed,
            total: self.bank.setup().transport.limits().total,
        }
    }

    /// The id is the bank's own word, and still no more than one segment of a path.
    fn path_of(self, id: &str) -> String {
        let mut url = Url::parse("https://bank.example").expect("it is a URL");
        url.path_segments_mut()
            .expect("https URLs have paths")
            .push(id);
        format!("{}{}", self.path, url.path())
    }
}
