//! `split`: an A/B test. Every visitor gets an arm by chance, and always the same one.

use sha2::{Digest, Sha256};

use crate::base::yaml::{Map, Spanned, View};

use super::way;
use crate::chat::effects::Effect;
use crate::chat::engine::{After, Run};
use crate::chat::flow::{Load, Step, Target};

#[derive(Clone, Debug)]
pub struct Split {
    pub arms: Vec<Arm>,
}

/// One way through the test.
#[derive(Clone, Debug)]
pub struct Arm {
    pub name: Spanned<String>,
    /// Its share, in parts of the sum of all weights.
    pub weight: u32,
    pub goto: Target,
}

impl Split {
    /// `split: {short: {weight: 50, goto: a}, long: {weight: 50, goto: b}}`; `short: a` is short for the weight 1.
    pub fn read<'a>(map: &mut Map<'a>, load: &mut Load<'a>) -> Split {
        let mut arms = Vec::new();
        let Some(written) = map.required("split").and_then(View::map) else { return Split { arms } };
        for (name, view) in written.entries() {
            let (weight, goto) = match view.is_map().then(|| view.map()).flatten() {
                None => (Some(1), Target::read(view)),
                Some(mut arm) => {
                    let weight = arm.required("weight").and_then(|view| {
                        view.parsed("a weight from 1 to 1000", |text| {
                            text.parse().ok().filter(|weight| (1..=1_000).contains(weight))
                        })
                    });
                    let goto = way("goto", &mut arm);
                    arm.finish();
                    (weight, goto)
                }
            };
            arms.push(Arm { name: name.clone(), weight: weight.unwrap_or(1), goto });
        }
        if arms.len() < 2 {
            load.report
                .error(written.at, "Y005", "a split needs at least two arms")
                .hint("split: {short: {weight: 50, goto: a}, long: {weight: 50, goto: b}}");
        }
        Split { arms }
    }

    pub fn enter(&self, step: &Step, run: &mut Run<'_>) -> After {
        let Some(arm) = self.arm(step, run) else { return After::Stay };
        run.effects.push(Effect::Split { step: step.id.clone(), arm: arm.name.value.clone() });
        run.leave_by(format!("arm {}", arm.name.value));
        After::Jump(arm.goto.step.clone())
    }

    /// The arm of this visitor: by the digest of flow, step and visitor, so that it is the same on every node and in
    /// every later conversation, and independent of other tests.
    fn arm(&self, step: &Step, run: &Run<'_>) -> Option<&Arm> {
        let props = &run.world.props;
        if let Some(forced) = props.arms.get(&step.id) {
            return self.arms.iter().find(|arm| arm.name.value == *forced).or(self.arms.first());
        }
        let total: u64 = self.arms.iter().map(|arm| u64::from(arm.weight)).sum();
        let mut hash = Sha256::new();
        for part in [run.flow.id.as_str(), step.id.as_str(), props.seed.as_str()] {
            hash.update(part.len().to_be_bytes());
            hash.update(part.as_bytes());
        }
        let digest = hash.finalize();
        let number = digest.iter().take(8).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        let mut at = number.checked_rem(total)?;
        for arm in &self.arms {
            match at.checked_sub(u64::from(arm.weight)) {
                Some(rest) => at = rest,
                None => return Some(arm),
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use crate::base::diagnostic::Report;
    use crate::base::yaml;
    use crate::chat::flow::Flow;
    use crate::chat::rehearsal::{Rehearsal, Scene};

    const FLOW: &str = "flow: test
title: A test
languages: [en]
steps:
  try:
    split: {short: {weight: 1, goto: short}, long: {weight: 3, goto: long}}
  short: {say: Hi., end: short}
  long: {say: A good morning to you., end: long}
";

    fn ends(text: &str, many: usize, change: impl Fn(&mut Scene, usize)) -> BTreeMap<String, usize> {
        let report = Report::new();
        let flow = Flow::read(&yaml::parse("f", text, &report).unwrap(), &report).unwrap();
        let mut ends = BTreeMap::new();
        for n in 0..many {
            let mut scene = Scene::default();
            change(&mut scene, n);
            let (play, _) = Rehearsal::open(&flow, scene, None);
            *ends.entry(play.state.outcome.unwrap()).or_default() += 1;
        }
        ends
    }

    #[test]
    fn arms_get_their_shares() {
        let ends = ends(FLOW, 2_000, |scene, n| scene.props.seed = format!("visitor {n}"));
        // A quarter of 2,000, give or take five standard deviations.
        assert!((403..=597).contains(&ends["short"]), "{ends:?}");
    }

    #[test]
    fn a_visitor_always_goes_the_same_way_and_tests_say_which() {
        assert_eq!(ends(FLOW, 50, |scene, _| scene.props.seed = "one visitor".to_owned()).len(), 1);
        let forced = ends(FLOW, 50, |scene, n| {
            scene.props.seed = format!("visitor {n}");
            scene.props.arms.insert("try".to_owned(), "short".to_owned());
        });
        assert_eq!(forced, BTreeMap::from([("short".to_owned(), 50)]));
    }

    #[test]
    fn another_test_divides_the_same_people_anew() {
        let seeded = |text: &str, n: usize| {
            let one = ends(text, 1, |scene, _| scene.props.seed = format!("visitor {n}"));
            one.into_keys().next().unwrap()
        };
        let renamed = FLOW.replace("flow: test", "flow: other");
        let differs = (0..40).filter(|n| seeded(FLOW, *n) != seeded(&renamed, *n)).count();
        assert!(differs > 0);
    }
}
