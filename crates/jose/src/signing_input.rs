//! What is signed, in the buffer that becomes the token: header, dot, payload, and then the signature at its end. The
//! buffer is allocated once, in the right size.

use crate::algorithm::Algorithm;
use crate::base64url;
use crate::header_template::{HeaderTemplate, Layout};
use crate::local_key::LocalKey;
use crate::sign::{Sign, SignError};
use crate::signatory::Form;
use crate::unix_time::UnixTime;

/// A token without its signature. Sign it once; it is consumed.
#[derive(Debug)]
pub struct SigningInput {
    buffer: Vec<u8>,
    header_len: usize,
    layout: Layout,
    algorithm: Algorithm,
    signature_len: usize,
}

impl SigningInput {
    pub(crate) fn assemble(header: &HeaderTemplate, payload: &[u8], iat: UnixTime) -> Self {
        let payload_len = match header.layout {
            Layout::Compact | Layout::Detached(Form::Encoded) => {
                base64url::encoded_len(payload.len())
            }
            Layout::Detached(Form::Unencoded) => payload.len(),
        };
        let signature_len = base64url::encoded_len(header.signature_len);
        let mut buffer = Vec::with_capacity(header.len_max() + payload_len + signature_len + 2);
        header.write(iat, &mut buffer);
        let header_len = buffer.len();
        buffer.push(b'.');
        match header.layout {
            Layout::Compact | Layout::Detached(Form::Encoded) => {
                base64url::append(&mut buffer, payload);
            }
            Layout::Detached(Form::Unencoded) => buffer.extend_from_slice(payload),
        }
        Self {
            buffer,
            header_len,
            layout: header.layout,
            algorithm: header.algorithm,
            signature_len: header.signature_len,
        }
    }

    /// The bytes that the signature is over.
    pub fn as_bytes(&self) -> &[u8] {
        &self.buffer
    }

    /// Signs on this thread and returns the token: compact, or detached as `header..signature`.
    pub fn sign_now(self, key: &LocalKey) -> Result<String, SignError> {
        self.check_algorithm(key)?;
        let signature = key.sign_now(&self.buffer)?;
        self.finish(&signature)
    }

    /// Signs with a key wherever it is and returns the token.
    pub async fn sign(self, key: &dyn Sign) -> Result<String, SignError> {
        self.check_algorithm(key)?;
        let signature = key.sign(&self.buffer).await?;
        self.finish(&signature)
    }

    fn check_algorithm(&self, key: &dyn Sign) -> Result<(), SignError> {
        if key.public_key().algorithm() == self.algorithm {
            Ok(())
        } else {
            Err(SignError::Algorithm)
        }
    }

    fn finish(mut self, signature: &[u8]) -> Result<String, SignError> {
        if signature.len() != self.signature_len {
            let (expected, found) = (self.signature_len, signature.len());
            return Err(SignError::Length { expected, found });
        }
        if let Layout::Detached(_) = self.layout {
            self.buffer.truncate(self.header_len + 1);
        }
        self.buffer.push(b'.');
        base64url::append(&mut self.buffer, signature);
        Ok(String::from_utf8(self.buffer).expect("base64url and dots are ASCII"))
    }
}
