//! How many different things were seen, in a small space that can be added to and joined with others.
//!
//! Few are kept exactly, as their 64-bit hashes. When those would take more room than the registers, a HyperLogLog sketch
//! takes over (Flajolet et al., "HyperLogLog: the analysis of a near-optimal cardinality estimation algorithm", 2007),
//! estimated without bias correction tables (Ertl, "New cardinality estimation algorithms for HyperLogLog sketches",
//! 2017, algorithm 6). Joining is exact: the sketch of a union is the union of the sketches, in any order, so what is
//! computed again from the same things is the same to the byte.

/// A set of which only the size can be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sketch {
    /// Two to the power of it is the number of registers.
    precision: u8,
    state: State,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    /// In order, each once.
    Exact(Vec<u64>),
    Registers(Vec<u8>),
}

/// The sketch could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a sketch")]
pub struct Unreadable;

/// Bytes of a hash.
const HASH: usize = 8;

impl Sketch {
    /// An empty set with `2^precision` registers of a byte each; `precision` from 4 to 18. The standard error above
    /// [`exact_most`](Sketch::exact_most) members is `1.04 / sqrt(2^precision)`: 1.6 % for 12, 0.8 % for 14.
    pub fn new(precision: u8) -> Self {
        Self { precision: precision.clamp(4, 18), state: State::Exact(Vec::new()) }
    }

    /// The largest set that is counted exactly.
    pub fn exact_most(&self) -> usize {
        self.registers() / HASH
    }

    fn registers(&self) -> usize {
        1 << self.precision
    }

    /// Adds a member by its hash, whose bits have to be as good as random. Returns whether anything changed.
    pub fn insert(&mut self, hash: u64) -> bool {
        match &mut self.state {
            State::Exact(hashes) => match hashes.binary_search(&hash) {
                Ok(_) => return false,
                Err(at) => hashes.insert(at, hash),
            },
            State::Registers(registers) => return raise(registers, self.precision, hash),
        }
        self.settle();
        true
    }

    /// Adds many members at once.
    pub fn extend(&mut self, new: impl IntoIterator<Item = u64>) {
        match &mut self.state {
            State::Exact(hashes) => {
                hashes.extend(new);
                hashes.sort_unstable();
                hashes.dedup();
                self.settle();
            }
            State::Registers(registers) => {
                for hash in new {
                    raise(registers, self.precision, hash);
                }
            }
        }
    }

    /// Adds whatever is in the other one. With different precisions the smaller one is what remains.
    pub fn join(&mut self, other: &Self) {
        match (&mut self.state, &other.state) {
            (_, State::Exact(hashes)) => self.extend(hashes.iter().copied()),
            (State::Exact(hashes), State::Registers(_)) => {
                let own = std::mem::take(hashes);
                *self = other.clone();
                self.extend(own);
            }
            (State::Registers(own), State::Registers(others)) if self.precision == other.precision => {
                highest(own, others);
            }
            (State::Registers(own), State::Registers(others)) => {
                let precision = self.precision.min(other.precision);
                let mut joined = folded(own, self.precision, precision);
                highest(&mut joined, &folded(others, other.precision, precision));
                *self = Self { precision, state: State::Registers(joined) };
            }
        }
    }

    /// How many there are: exact while few, an estimate after that.
    #[allow(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        reason = "sizes stay far below 2^53"
    )]
    pub fn count(&self) -> i64 {
        match &self.state {
            State::Exact(hashes) => i64::try_from(hashes.len()).unwrap_or(i64::MAX),
            State::Registers(registers) => estimate(registers, self.precision).round() as i64,
        }
    }

    /// Its bytes: the precision with the top bit set for registers, then hashes (little endian) or registers.
    pub fn to_bytes(&self) -> Vec<u8> {
        match &self.state {
            State::Exact(hashes) => {
                let mut bytes = Vec::with_capacity(1 + hashes.len() * HASH);
                bytes.push(self.precision);
                hashes.iter().for_each(|hash| bytes.extend_from_slice(&hash.to_le_bytes()));
                bytes
            }
            State::Registers(registers) => {
                let mut bytes = Vec::with_capacity(1 + registers.len());
                bytes.push(self.precision | 0x80);
                bytes.extend_from_slice(registers);
                bytes
            }
        }
    }

    /// Reads [`to_bytes`](Sketch::to_bytes).
    ///
    /// # Errors
    /// [`Unreadable`] for anything else.
    pub fn of_bytes(bytes: &[u8]) -> Result<Self, Unreadable> {
        let (precision, body) = read(bytes)?;
        let state = match body {
            Body::Exact(hashes) => {
                State::Exact(hashes.iter().map(|hash| u64::from_le_bytes(*hash)).collect())
            }
            Body::Registers(registers) => State::Registers(registers.to_vec()),
        };
        Ok(Self { precision, state })
    }

    /// Takes registers when the hashes would need more room.
    fn settle(&mut self) {
        let State::Exact(hashes) = &self.state else { return };
        if hashes.len() <= self.exact_most() {
            return;
        }
        let mut registers = vec![0; self.registers()];
        for hash in hashes {
            raise(&mut registers, self.precision, *hash);
        }
        self.state = State::Registers(registers);
    }
}

/// What a sketch holds, where its bytes are.
enum Body<'a> {
    Exact(&'a [[u8; HASH]]),
    Registers(&'a [u8]),
}

/// The precision and the rest of a sketch's bytes.
fn read(bytes: &[u8]) -> Result<(u8, Body<'_>), Unreadable> {
    let (&head, body) = bytes.split_first().ok_or(Unreadable)?;
    let empty = Sketch::new(head & 0x7f);
    if empty.precision != head & 0x7f {
        return Err(Unreadable);
    }
    match (head & 0x80, body.as_chunks::<HASH>()) {
        (0, (hashes, [])) => Ok((empty.precision, Body::Exact(hashes))),
        (0, _) => Err(Unreadable),
        _ if body.len() == empty.registers() => Ok((empty.precision, Body::Registers(body))),
        _ => Err(Unreadable),
    }
}

/// Joins many sketches: those that are still bytes are not made, and hashes are put in order once for many and not for each.
#[derive(Debug, Clone)]
pub struct Union {
    sketch: Sketch,
    /// Hashes that the sketch has not taken yet; none once it has registers.
    waiting: Vec<u64>,
}

impl Union {
    /// A union that begins with this one.
    pub fn of(sketch: Sketch) -> Self {
        Self { sketch, waiting: Vec::new() }
    }

    /// Adds the sketch of which these are the [bytes](Sketch::to_bytes).
    ///
    /// # Errors
    /// [`Unreadable`] if they are none.
    pub fn add(&mut self, bytes: &[u8]) -> Result<(), Unreadable> {
        let (precision, body) = read(bytes)?;
        match (&mut self.sketch.state, body) {
            (State::Registers(own), Body::Exact(hashes)) => {
                for hash in hashes {
                    raise(own, self.sketch.precision, u64::from_le_bytes(*hash));
                }
            }
            (State::Exact(_), Body::Exact(hashes)) => {
                self.waiting.extend(hashes.iter().map(|hash| u64::from_le_bytes(*hash)));
                if self.waiting.len() > 2 * self.sketch.exact_most() {
                    self.sketch.extend(self.waiting.drain(..));
                }
            }
            (State::Registers(own), Body::Registers(others)) if self.sketch.precision == precision => {
                highest(own, others);
            }
            (_, Body::Registers(others)) => {
                self.sketch.join(&Sketch { precision, state: State::Registers(others.to_vec()) });
                self.sketch.extend(self.waiting.drain(..));
            }
        }
        Ok(())
    }

    /// The sketch of all of them.
    pub fn joined(mut self) -> Sketch {
        self.sketch.extend(self.waiting);
        self.sketch
    }
}

fn highest(registers: &mut [u8], others: &[u8]) {
    for (own, other) in registers.iter_mut().zip(others) {
        *own = (*own).max(*other);
    }
}

/// The first bits choose the register, the leading zeros of the rest (and one) are its rank.
fn raise(registers: &mut [u8], precision: u8, hash: u64) -> bool {
    let at = usize::try_from(hash >> (64 - u32::from(precision))).unwrap_or(0);
    let rest = (hash << precision) | (1 << (precision - 1));
    let rank = u8::try_from(rest.leading_zeros() + 1).unwrap_or(u8::MAX);
    match registers.get_mut(at) {
        Some(register) if *register < rank => {
            *register = rank;
            true
        }
        _ => false,
    }
}

/// What the registers would be had there been fewer of them from the start.
fn folded(registers: &[u8], from: u8, to: u8) -> Vec<u8> {
    let lost = from - to;
    let mut folded = vec![0_u8; 1 << to];
    for (at, rank) in registers.iter().enumerate().filter(|(_, rank)| **rank > 0) {
        // The bits that no longer choose the register are the first of the rest.
        let low = at & ((1 << lost) - 1);
        let rank = match low {
            0 => rank + lost,
            low => lost - u8::try_from(usize::BITS - low.leading_zeros()).unwrap_or(lost) + 1,
        };
        if let Some(register) = folded.get_mut(at >> lost) {
            *register = (*register).max(rank);
        }
    }
    folded
}

#[allow(clippy::cast_precision_loss, reason = "there are at most 2^18 registers")]
fn estimate(registers: &[u8], precision: u8) -> f64 {
    let most = 64 - usize::from(precision);
    // Neighbours are counted apart: the same count one after the other would wait for itself.
    let mut counts = [[0_u32; 256]; 4];
    let (fours, []) = registers.as_chunks::<4>() else { return 0.0 };
    for four in fours {
        for (counts, rank) in counts.iter_mut().zip(four) {
            counts[usize::from(*rank)] += 1;
        }
    }
    let m = registers.len() as f64;
    let count = |rank: usize| f64::from(counts.iter().filter_map(|counts| counts.get(rank)).sum::<u32>());
    let mut z = m * tau(1.0 - count(most + 1) / m);
    for rank in (1..=most).rev() {
        z = 0.5 * (z + count(rank));
    }
    z += m * sigma(count(0) / m);
    m * m / (2.0 * std::f64::consts::LN_2 * z)
}

fn sigma(mut x: f64) -> f64 {
    if x >= 1.0 {
        return f64::INFINITY;
    }
    let (mut y, mut z) = (1.0, x);
    loop {
        x *= x;
        let before = z;
        z += x * y;
        y += y;
        if z <= before {
            return z;
        }
    }
}

fn tau(mut x: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return 0.0;
    }
    let (mut y, mut z) = (1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        let before = z;
        y *= 0.5;
        z -= (1.0 - x).powi(2) * y;
        if z >= before {
            return z / 3.0;
        }
    }
}

/// A hash of a UUID's bits that is the same on every node and in every year (two rounds of SplitMix64's finaliser).
pub fn hash_of_id(id: u128) -> u64 {
    let mix = |mut n: u64| {
        n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        n ^ (n >> 31)
    };
    let halves = id.to_be_bytes();
    let half = |at: usize| {
        halves.get(at..at + 8).and_then(|half| half.try_into().ok()).map_or(0, u64::from_be_bytes)
    };
    mix(mix(half(0)).wrapping_add(0x9e37_79b9_7f4a_7c15) ^ half(8))
}

#[cfg(test)]
#[allow(clippy::cast_precision_loss)]
mod tests {
    use super::*;

    fn of(range: std::ops::Range<u128>, precision: u8) -> Sketch {
        let mut sketch = Sketch::new(precision);
        sketch.extend(range.map(hash_of_id));
        sketch
    }

    #[test]
    fn few_are_counted_exactly_and_many_within_three_standard_errors() {
        assert_eq!(Sketch::new(12).count(), 0);
        assert_eq!(of(0..512, 12).count(), 512);
        for (size, precision) in [(2_000, 12), (50_000, 12), (50_000, 14), (1_000_000, 14)] {
            let error = (of(0..size, precision).count() as f64 - size as f64).abs() / size as f64;
            let most = 3.0 * 1.04 / f64::from(1_u32 << precision).sqrt();
            assert!(error < most, "{size} at {precision}: {error:.4}");
        }
    }

    #[test]
    fn one_by_one_is_the_same_as_all_at_once() {
        let mut slow = Sketch::new(6);
        for n in 0..300 {
            slow.insert(hash_of_id(n));
        }
        assert_eq!(slow, of(0..300, 6));
        assert!(!slow.insert(hash_of_id(7)), "it is there already");
    }

    #[test]
    fn a_join_is_the_sketch_of_the_union_whatever_the_order() {
        for (left, right) in
            [(0..100, 50..200), (0..100, 50..5_000), (0..5_000, 90..100), (0..9_000, 5_000..20_000)]
        {
            let union = of(left.start..left.end.max(right.end), 12);
            let (mut a, mut b) = (of(left.clone(), 12), of(right.clone(), 12));
            a.join(&of(right, 12));
            b.join(&of(left, 12));
            assert_eq!(a, union);
            assert_eq!(b, union);
        }
    }

    #[test]
    fn a_union_of_many_is_what_they_are_one_after_the_other() {
        for sizes in [&[3, 0, 5][..], &[200; 9], &[200, 200, 900, 20], &[5, 5_000, 40, 6_000], &[900, 10]] {
            let (mut from, mut one_by_one) = (0, of(0..2, 12));
            let mut union = Union::of(one_by_one.clone());
            for size in sizes {
                // Half of each was in the one before.
                let next = of(from..from + size, 12);
                from += size / 2;
                one_by_one.join(&next);
                union.add(&next.to_bytes()).expect("bytes of a sketch");
            }
            assert_eq!(union.joined(), one_by_one, "{sizes:?}");
        }
        assert_eq!(Union::of(Sketch::new(12)).add(&[12, 1]), Err(Unreadable));
    }

    #[test]
    fn registers_of_different_precision_join_at_the_smaller() {
        let mut a = of(0..40_000, 14);
        a.join(&of(20_000..60_000, 12));
        assert_eq!(a, of(0..60_000, 12));
    }

    #[test]
    fn bytes_come_back_and_others_are_refused() {
        for sketch in [Sketch::new(12), of(0..10, 12), of(0..10_000, 12)] {
            assert_eq!(Sketch::of_bytes(&sketch.to_bytes()), Ok(sketch));
        }
        for wrong in [&[][..], &[12, 1], &[0x8c, 0], &[99], &[0]] {
            assert_eq!(Sketch::of_bytes(wrong), Err(Unreadable));
        }
    }
}
