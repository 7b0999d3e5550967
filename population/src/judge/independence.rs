//! What the network assumes independent.

use crate::judge::Analysis;

/// One assumption: given `given`, `variable` does not depend on any of `independent_of`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Independence {
    pub variable: String,
    pub independent_of: Vec<String>,
    /// The parents; one that is seen through bands or groups says so: `age (in 13 classes)`.
    pub given: Vec<String>,
}

impl Analysis<'_> {
    /// The independences that the network imposes, by the local Markov property (Pearl 1988): each node is independent of
    /// its non-descendants given its parents. Stated for the variables drawn before it; the rest follows. A hidden
    /// variable is listed too: it shapes what is drawn.
    pub fn independences(&self) -> Vec<Independence> {
        let network = &self.pack.network;
        let name = |v: usize| network.variables[v].name.clone();
        let mut list = vec![];
        for (v, table) in network.tables.iter().enumerate() {
            let independent_of: Vec<String> =
                (0..v).filter(|u| !table.parents.iter().any(|p| p.variable == *u)).map(name).collect();
            let given: Vec<String> = table
                .parents
                .iter()
                .map(|p| match p.partition.is_finest() {
                    true => name(p.variable),
                    false => format!("{} (in {} classes)", name(p.variable), p.partition.classes()),
                })
                .collect();
            let coarse = table.parents.iter().any(|p| !p.partition.is_finest());
            if !independent_of.is_empty() || coarse {
                list.push(Independence { variable: name(v), independent_of, given });
            }
        }
        list
    }
}
