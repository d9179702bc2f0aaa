// What must hold for any text in the place of a token: nobody but the server makes one, and none is good for two things.

use embudo::base::secret::Secret;
use embudo::base::signing::{Keys, Purpose, TokenError};
use embudo::base::time::Timestamp;

const NOW: Timestamp = Timestamp(1_800_000_000_000);
/// Purposes that would hurt most if one passed for another.
const PURPOSES: [Purpose; 4] =
    [Purpose::Asset, Purpose::Conversation, Purpose::Preferences, Purpose::CalendarFeed];

/// Offers the bytes as a token, and a good token changed by them. Tells how many were taken: the unchanged ones.
pub fn read(bytes: &[u8]) -> usize {
    let keys = Keys::new(&Secret::new("a secret of at least 32 characters"));
    let text = String::from_utf8_lossy(bytes);
    for purpose in PURPOSES {
        assert_eq!(keys.verify(purpose, &text, NOW), Err(TokenError::Forged), "made by nobody: {text}");
    }
    let mut claims = Keys::claims("faro", NOW, NOW.plus_ms(1));
    claims.nonce = "always-the-same".to_owned();
    let good = keys.sign(Purpose::Asset, &claims);
    let mut taken = 0;
    for (made, changed) in [(false, changed(&good, bytes)), (true, good.clone())] {
        let read = keys.verify(Purpose::Asset, &changed, NOW);
        assert_eq!(read.is_ok(), made || changed == good, "{changed}");
        taken += usize::from(read.is_ok());
        for other in PURPOSES.into_iter().filter(|purpose| *purpose != Purpose::Asset) {
            assert_eq!(keys.verify(other, &changed, NOW), Err(TokenError::Forged), "{changed}");
        }
    }
    assert!(matches!(keys.verify(Purpose::Asset, &good, NOW.plus_ms(1)), Err(TokenError::Expired(_))));
    taken
}

/// A good token with bytes put in the place of its own, each at a place that the byte before it says.
fn changed(good: &str, bytes: &[u8]) -> String {
    let mut token = good.as_bytes().to_vec();
    for pair in bytes.chunks_exact(2) {
        let at = usize::from(pair[0]) % token.len();
        token[at] = pair[1];
    }
    String::from_utf8_lossy(&token).into_owned()
}
