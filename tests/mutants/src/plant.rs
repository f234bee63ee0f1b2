//! Writes mutants into a file: each beside the original, chosen when the program runs.
//!
//! `a < b` becomes `(if on(7) { a <= b } else { a < b })`. Mutants may stand in one another; what stands in
//! the changed version is the original text, as only one of them is on at a time.

use crate::mutant::{Form, Mutant};
use std::ops::Range;

/// A file with its mutants.
pub(crate) struct Planted {
    pub(crate) text: String,
    /// The bytes of what is written instead, by the mutant's number.
    pub(crate) instead: Vec<(Range<usize>, u32)>,
    /// The bytes of all that was written for a mutant.
    pub(crate) around: Vec<(Range<usize>, u32)>,
}

impl Planted {
    /// The mutants that a message of the compiler about these bytes is about: the changed versions there;
    /// otherwise those of the innermost place around it.
    pub(crate) fn at(&self, bytes: &Range<usize>) -> Vec<u32> {
        let meets =
            |r: &Range<usize>| r.start < bytes.end.max(bytes.start + 1) && bytes.start < r.end;
        let changed: Vec<u32> = ids(self.instead.iter().filter(|(r, _)| meets(r)));
        if !changed.is_empty() {
            return changed;
        }
        let around = self.around.iter().filter(|(r, _)| meets(r));
        let Some(least) = around.clone().map(|(r, _)| r.len()).min() else {
            return Vec::new();
        };
        ids(around.filter(|(r, _)| r.len() == least))
    }

    /// The mutants nearest to these bytes, where a message names none of them.
    pub(crate) fn nearest(&self, bytes: &Range<usize>) -> Vec<u32> {
        let distance =
            |r: &Range<usize>| r.start.abs_diff(bytes.start).min(r.end.abs_diff(bytes.end));
        let Some(least) = self.around.iter().map(|(r, _)| distance(r)).min() else {
            return Vec::new();
        };
        ids(self.around.iter().filter(|(r, _)| distance(r) == least))
    }
}

fn ids<'a>(of: impl Iterator<Item = &'a (Range<usize>, u32)>) -> Vec<u32> {
    of.map(|(_, id)| *id).collect()
}

/// The text with these mutants, all of one file; `on` is the path of the function that chooses.
pub(crate) fn plant(text: &str, mutants: &[&Mutant], on: &str) -> Planted {
    let mut mutants = mutants.to_vec();
    mutants.sort_by_key(|m| {
        (
            m.from,
            std::cmp::Reverse(m.to),
            m.form != Form::Statement,
            m.id,
        )
    });
    let mut planted = Planted {
        text: String::new(),
        instead: Vec::new(),
        around: Vec::new(),
    };
    planted.copy(text, 0..text.len(), &mutants, on);
    planted
}

impl Planted {
    /// Copies this part of the text with the mutants in it.
    fn copy(&mut self, text: &str, part: Range<usize>, mutants: &[&Mutant], on: &str) {
        let mut at = part.start;
        let mut rest = mutants;
        while let Some(first) = rest.first() {
            let same = |m: &&&Mutant| (m.from, m.to, m.form) == (first.from, first.to, first.form);
            let (here, others) = rest.split_at(rest.iter().take_while(same).count());
            let inside = others.iter().take_while(|m| m.from < first.to).count();
            let (inside, after) = others.split_at(inside);
            self.text.push_str(&text[at..first.from]);
            let start = self.text.len();
            self.place(text, here, inside, on);
            let all = start..self.text.len();
            self.around.extend(here.iter().map(|m| (all.clone(), m.id)));
            at = first.to;
            rest = after;
        }
        self.text.push_str(&text[at..part.end]);
    }

    /// Writes one place with all that may stand there.
    fn place(&mut self, text: &str, here: &[&Mutant], inside: &[&Mutant], on: &str) {
        let part = here[0].from..here[0].to;
        match here[0].form {
            Form::Expression => {
                self.text.push('(');
                for m in here {
                    self.text.push_str(&format!("if {on}({}) {{ ", m.id));
                    self.changed(m);
                    self.text.push_str(" } else ");
                }
                self.text.push_str("{ ");
                self.copy(text, part, inside, on);
                self.text.push_str(" })");
            }
            Form::Statement => {
                self.text.push_str(&format!("if !{on}({}) {{ ", here[0].id));
                self.copy(text, part, inside, on);
                self.text.push_str(" }");
            }
            // The place is the brace that opens the function.
            Form::Body => {
                self.text.push_str(&text[part]);
                for m in here {
                    self.text.push_str(&format!(" if {on}({}) {{ ", m.id));
                    self.changed(m);
                    self.text.push_str(" }");
                }
            }
        }
    }

    fn changed(&mut self, m: &Mutant) {
        let start = self.text.len();
        self.text.push_str(&m.instead);
        self.instead.push((start..self.text.len(), m.id));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::find;

    #[test]
    fn mutants_stand_in_one_another_and_each_is_chosen_by_its_number() {
        let text = "fn f(a: u8) -> bool { self.g(a + 1); a < 2 && !self.h() }";
        let mut mutants = find::mutants("f.rs", text);
        for (id, m) in (1..).zip(&mut mutants) {
            m.id = id;
        }
        let names: Vec<&str> = mutants.iter().map(|m| m.name.as_str()).collect();
        assert_eq!(names.len(), 9, "{names:#?}");
        let planted = plant(text, &mutants.iter().collect::<Vec<_>>(), "on");
        syn::parse_file(&planted.text).unwrap();
        let expected = "fn f(a: u8) -> bool { if on(1) { return true; } if on(2) { return false; } \
            if !on(3) { self.g((if on(4) { a - 1 } else { a + (if on(5) { 2 } else { 1 }) })); } \
            (if on(6) { a < 2 || !self.h() } else { (if on(7) { a <= 2 } else { a < (if on(8) { 3 } else { 2 }) }) \
            && (if on(9) { self.h() } else { !self.h() }) }) }";
        assert_eq!(planted.text, expected);
        let at = planted.text.find("a <= 2").unwrap();
        assert_eq!(planted.at(&(at..at + 1)), [7]);
    }
}
