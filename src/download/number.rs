//! By which number a contract is asked for, with a provider that numbers them: the file's, else the one that was found
//! once and that the catalogue keeps, unless the provider does not know that any more.

use super::series::Course;

/// Where the number of a series' contract comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Number {
    /// From the file, or there is none.
    #[default]
    Given,
    /// From the catalogue.
    Kept,
    /// The provider does not know the kept one any more: the contract is looked for by what the file says.
    Gone,
}

impl Course {
    /// What was found to be meant once is meant for good, whatever the same words would find later.
    pub(super) fn keep_to_number(&mut self, kept: Option<i64>) {
        let own = &mut self.target.instrument.broker.con_id;
        if self.number == Number::Given && own.is_none() && kept.is_some() {
            (*own, self.number) = (kept, Number::Kept);
        }
    }

    /// The provider does not know the contract: whether there is a kept number to do without from now on.
    pub(super) fn forgets_number(&mut self) -> bool {
        if self.number != Number::Kept {
            return false;
        }
        self.number = Number::Gone;
        let number = self.target.instrument.broker.con_id.take().unwrap_or_default();
        self.notes.push(format!(
            "the provider does not know the contract {number} any more: looked for by its code again"
        ));
        true
    }
}
