//! `switch`: the first branch whose condition holds; there is always an `else`.

use crate::base::expr::Expr;
use crate::base::yaml::{Map, View};

use super::way;
use crate::chat::engine::{After, Run};
use crate::chat::flow::{Load, Target, condition};

#[derive(Clone, Debug)]
pub struct Switch {
    pub branches: Vec<(Expr, Target)>,
    pub otherwise: Option<Target>,
    /// Where branches lead that could not be read, as far as that is known. Such a flow never runs; but nobody is told
    /// besides that nothing led there.
    unread: Vec<Target>,
}

impl Switch {
    /// Reports G210 without an `else`, and G211 for branches below it.
    pub fn read<'a>(map: &mut Map<'a>, load: &mut Load<'a>) -> Switch {
        let mut switch = Switch { branches: Vec::new(), otherwise: None, unread: Vec::new() };
        let view = map.required("switch");
        let (Some(view), Some(items)) = (view, view.and_then(View::list)) else {
            switch.unread.push(Target::unread(map.at));
            return switch;
        };
        for item in items {
            let Some(mut branch) = item.map() else {
                switch.unread.push(Target::unread(item.at()));
                continue;
            };
            if switch.otherwise.is_some() {
                item.error("G211", "nothing comes here: an `else` stands above").done();
            }
            if let Some(target) = branch.optional("else") {
                switch.otherwise = Some(Target::read(target));
            } else {
                let expr = branch.required("if").and_then(|view| condition(view, load.symbols));
                let goto = way("goto", &mut branch);
                match expr {
                    Some(expr) => switch.branches.push((expr, goto)),
                    None => switch.unread.push(goto),
                }
            }
            branch.finish();
        }
        if switch.otherwise.is_none() {
            view.error("G210", "this switch has no `else`")
                .hint("add `- {else: step}`: then no visitor falls through");
        }
        switch
    }

    pub fn targets(&self) -> impl Iterator<Item = &Target> {
        self.branches.iter().map(|(_, target)| target).chain(&self.otherwise).chain(&self.unread)
    }

    pub fn targets_mut(&mut self) -> impl Iterator<Item = &mut Target> {
        self.branches.iter_mut().map(|(_, target)| target).chain(&mut self.otherwise).chain(&mut self.unread)
    }

    pub fn enter(&self, run: &mut Run<'_>) -> After {
        let values = run.values();
        let holds = self.branches.iter().find(|(expr, _)| expr.holds(&values));
        let exit = holds.map_or_else(|| "else".to_owned(), |(expr, _)| format!("if {}", expr.text()));
        match holds.map(|(_, target)| target).or(self.otherwise.as_ref()) {
            Some(target) => {
                run.leave_by(exit);
                After::Jump(target.step.clone())
            }
            None => After::Stay,
        }
    }
}
