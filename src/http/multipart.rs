//! `multipart/form-data` (RFC 7578), read as it comes: a file of any size passes through a few kilobytes.

use actix_web::web::{Bytes, BytesMut, Payload};
use futures_util::StreamExt;

/// Most bytes of a part's head, and of what stands before the first part.
const HEAD_BYTES: usize = 8 * 1024;

/// Why a body cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broken {
    /// It is none, or its parts are not as they should be.
    Malformed,
    /// It ended before its end.
    Short,
    /// A field is larger than it may be.
    Large,
}

/// The parts of a body, one after the other.
pub struct Parts {
    body: Payload,
    buffer: BytesMut,
    /// What ends a part: a line's end, two hyphens, the boundary.
    end: Vec<u8>,
}

impl Parts {
    /// The parts of a body of this content type.
    ///
    /// # Errors
    /// [`Broken::Malformed`] if it is of another type or names no boundary (RFC 2046, 5.1.1).
    pub fn of(content_type: &str, body: Payload) -> Result<Self, Broken> {
        let (kind, parameters) = content_type.split_once(';').ok_or(Broken::Malformed)?;
        if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
            return Err(Broken::Malformed);
        }
        let named = |parameter: &str| {
            let (name, value) = parameter.split_once('=')?;
            let is_boundary = name.trim().eq_ignore_ascii_case("boundary");
            is_boundary.then(|| value.trim().trim_matches('"').to_owned())
        };
        let boundary = parameters.split(';').find_map(named).ok_or(Broken::Malformed)?;
        if !(1..=70).contains(&boundary.len()) || !boundary.is_ascii() {
            return Err(Broken::Malformed);
        }
        // The first boundary has no line before it.
        Ok(Self { body, buffer: BytesMut::from(&b"\r\n"[..]), end: format!("\r\n--{boundary}").into_bytes() })
    }

    /// The name of the next part; what is left of the one before is passed over. Nothing after the last.
    ///
    /// # Errors
    /// [`Broken`].
    pub async fn next(&mut self) -> Result<Option<String>, Broken> {
        while self.chunk().await?.is_some() {}
        let _ = self.buffer.split_to(self.end.len());
        while self.buffer.len() < 2 {
            self.more().await?;
        }
        if self.buffer.starts_with(b"--") {
            return Ok(None);
        }
        let head = loop {
            if let Some(at) = find(&self.buffer, b"\r\n\r\n") {
                break self.buffer.split_to(at + 4);
            }
            if self.buffer.len() > HEAD_BYTES {
                return Err(Broken::Malformed);
            }
            self.more().await?;
        };
        let head = String::from_utf8_lossy(&head);
        let disposition = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.trim().eq_ignore_ascii_case("content-disposition").then_some(value)
        });
        let name = disposition.and_then(|value| {
            value.split(';').find_map(|parameter| parameter.trim().strip_prefix("name=").map(str::to_owned))
        });
        Ok(Some(name.ok_or(Broken::Malformed)?.trim_matches('"').to_owned()))
    }

    /// What comes next of the part; nothing at its end.
    ///
    /// # Errors
    /// [`Broken`].
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Broken> {
        loop {
            if let Some(at) = find(&self.buffer, &self.end) {
                return Ok((at > 0).then(|| self.buffer.split_to(at).freeze()));
            }
            // The beginning of a boundary may stand at the end.
            let sure = (self.buffer.len() + 1).saturating_sub(self.end.len());
            if sure > 0 {
                return Ok(Some(self.buffer.split_to(sure).freeze()));
            }
            self.more().await?;
        }
    }

    /// The whole of a short field.
    ///
    /// # Errors
    /// [`Broken::Large`] if it is longer than `most` bytes.
    pub async fn text(&mut self, most: usize) -> Result<String, Broken> {
        let mut text = Vec::new();
        while let Some(chunk) = self.chunk().await? {
            text.extend_from_slice(&chunk);
            if text.len() > most {
                return Err(Broken::Large);
            }
        }
        String::from_utf8(text).map_err(|_| Broken::Malformed)
    }

    async fn more(&mut self) -> Result<(), Broken> {
        match self.body.next().await {
            Some(Ok(bytes)) => self.buffer.extend_from_slice(&bytes),
            Some(Err(_)) | None => return Err(Broken::Short),
        }
        Ok(())
    }
}

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}

#[cfg(test)]
mod tests {
    use actix_web::FromRequest;
    use actix_web::test::TestRequest;

    use super::*;

    async fn parts(body: &'static [u8]) -> Parts {
        let (request, mut payload) = TestRequest::post().set_payload(body).to_http_parts();
        let payload = Payload::from_request(&request, &mut payload).await.expect("a body");
        Parts::of("multipart/form-data; boundary=\"xYz\"", payload).expect("a boundary")
    }

    #[actix_web::test]
    async fn parts_come_in_their_order_and_what_looks_like_a_boundary_is_none() {
        let body = b"--xYz\r\nContent-Disposition: form-data; name=\"csrf\"\r\n\r\nabc\r\n--xYz\r\n\
                     content-disposition: form-data; name=\"file\"; filename=\"../../x\"\r\nContent-Type: text/html\r\n\r\n\
                     1\r\n--xY\r\n2\r\n--xYz--\r\n";
        let mut parts = parts(body).await;
        assert_eq!(parts.next().await, Ok(Some("csrf".to_owned())));
        assert_eq!(parts.text(10).await, Ok("abc".to_owned()));
        assert_eq!(parts.next().await, Ok(Some("file".to_owned())));
        assert_eq!(parts.text(100).await, Ok("1\r\n--xY\r\n2".to_owned()));
        assert_eq!(parts.next().await, Ok(None));
    }

    #[actix_web::test]
    async fn what_breaks_off_is_told_from_what_is_too_large() {
        let short = b"--xYz\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\nabc\r\n--xY";
        let mut broken = parts(short).await;
        assert_eq!(broken.next().await, Ok(Some("file".to_owned())));
        assert_eq!(broken.text(100).await, Err(Broken::Short));
        let mut large =
            parts(b"--xYz\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nabcdef\r\n--xYz--").await;
        large.next().await.expect("a part");
        assert_eq!(large.text(3).await, Err(Broken::Large));
        let mut nameless = parts(b"--xYz\r\nContent-Type: text/plain\r\n\r\nx\r\n--xYz--").await;
        assert_eq!(nameless.next().await, Err(Broken::Malformed));
    }
}
