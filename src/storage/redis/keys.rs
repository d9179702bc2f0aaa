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

    /// The channel of the live bus.
    pub fn bus(&self) -> String {
        format!("{}:bus", self.prefix)
    }
}
