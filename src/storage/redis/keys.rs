//! Every key pattern in one place. What belongs together carries one hash tag, so that it lives on one node of a
//! cluster and one script may touch it.

/// Names keys and channels.
#[derive(Debug, Clone)]
pub struct Keys {
    prefix: String,
}

impl Keys {
    pub(super) fn new(prefix: &str) -> Self {
        Self { prefix: prefix.to_owned() }
    }

    /// One hot record, such as a visitor's session.
    pub fn record(&self, name: &str) -> String {
        format!("{}:hot:{{{name}}}", self.prefix)
    }

    /// One set of members that are present until a moment.
    pub fn marks(&self, set: &str) -> String {
        format!("{}:marks:{{{set}}}", self.prefix)
    }

    /// One bucket of a limit.
    pub fn limit(&self, bucket: &str, key: &str) -> String {
        format!("{}:limit:{bucket}:{{{key}}}", self.prefix)
    }

    /// The stream of a partition. All of a partition has one tag.
    pub fn stream(&self, partition: usize) -> String {
        format!("{}:{{p{partition}}}:stream", self.prefix)
    }

    /// How much waits in a partition's stream.
    pub fn waiting(&self, partition: usize) -> String {
        format!("{}:{{p{partition}}}:waiting", self.prefix)
    }

    /// What is remembered of a member of a partition. Bytes and not digits: there is one for every visit that goes on.
    pub fn member(&self, partition: usize, space: u64, member: u128) -> Vec<u8> {
        let mut key = format!("{}:{{p{partition}}}:", self.prefix).into_bytes();
        key.extend_from_slice(&space.to_be_bytes());
        key.extend_from_slice(&member.to_be_bytes());
        key
    }

    /// The stream of what could not be used.
    pub fn buried(&self) -> String {
        format!("{}:buried", self.prefix)
    }

    /// The channel of the live bus.
    pub fn bus(&self) -> String {
        format!("{}:bus", self.prefix)
    }
}
