//! Bodies as they come over the wire: plain, or packed with gzip, and never larger than allowed.

use std::borrow::Cow;
use std::io::Read;

use flate2::read::MultiGzDecoder;

use super::Error;

/// The body that was packed as `encoding` (`Content-Encoding`) says, if it has at most `most` bytes. No more than these
/// are ever unpacked.
///
/// # Errors
/// [`Error::TooLarge`], [`Error::Packed`] if it is broken off or no gzip, [`Error::Encoding`] for any other encoding.
pub fn unpacked<'b>(body: &'b [u8], encoding: &str, most: usize) -> Result<Cow<'b, [u8]>, Error> {
    match encoding.trim() {
        _ if body.len() > most => Err(Error::TooLarge { most }),
        "" | "identity" => Ok(Cow::Borrowed(body)),
        word if word.eq_ignore_ascii_case("gzip") || word.eq_ignore_ascii_case("x-gzip") => {
            let mut plain = Vec::with_capacity(body.len().saturating_mul(4).min(most));
            let reach = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
            MultiGzDecoder::new(body)
                .take(reach)
                .read_to_end(&mut plain)
                .map_err(|error| Error::Packed(error.to_string()))?;
            if plain.len() > most { Err(Error::TooLarge { most }) } else { Ok(Cow::Owned(plain)) }
        }
        _ => Err(Error::Encoding),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn gzip(plain: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(plain).and_then(|()| encoder.finish()).expect("a vector takes every byte")
    }

    #[test]
    fn a_bomb_is_not_unpacked_beyond_the_limit() {
        let bomb = gzip(&vec![b' '; 2_000_000]);
        assert!(bomb.len() < 64 * 1024);
        assert_eq!(unpacked(&bomb, "gzip", 64 * 1024), Err(Error::TooLarge { most: 64 * 1024 }));
        let plain = [b'x'; 500];
        assert_eq!(unpacked(&gzip(&plain), "GZIP", 500).expect("as large as may be"), &plain[..]);
        assert_eq!(unpacked(&gzip(&plain), "gzip", 499), Err(Error::TooLarge { most: 499 }));
        assert_eq!(unpacked(&plain, "", 499), Err(Error::TooLarge { most: 499 }));
    }

    #[test]
    fn what_is_broken_or_unknown_is_told_apart() {
        let whole = gzip(&[b'x'; 1_000]);
        for broken in [&whole[..whole.len() - 1], &whole[..8], b"", b"[1]"] {
            assert!(matches!(unpacked(broken, "gzip", 9_999), Err(Error::Packed(_))), "{broken:?}");
        }
        for other in ["br", "deflate", "zstd", "gzip, gzip"] {
            assert_eq!(unpacked(b"[1]", other, 9_999), Err(Error::Encoding), "{other}");
        }
    }
}
