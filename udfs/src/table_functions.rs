//! The table functions, as `information_schema.routines` and `SHOW FUNCTIONS` list them.
//!
//! DataFusion lists scalar functions only. So each table function has one of its name, which carries its
//! documentation, and which tells whoever calls it within an expression where it belongs.

use arrow::datatypes::DataType;
use datafusion::common::{Result, exec_err, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, DocSection, Documentation, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use crate::weighting::{rake, rebalance};
use crate::{
    assumed_independences, compare, complete_persona, counterfactual, duplicates, fidelity, generate_persona,
    hybrid_search, persona_probability, sample_persona, semantic_search, similar_to, stereotype_index,
    stratified_sample, table_sample, text_search, validate,
};

/// The entry of one table function.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct TableFunction {
    name: &'static str,
    example: &'static str,
    signature: Signature,
    documentation: Documentation,
}

impl TableFunction {
    fn new(name: &'static str, description: &str, syntax: &str, example: &'static str) -> TableFunction {
        let section = DocSection { include: true, label: "Table Functions", description: None };
        let documentation = Documentation::builder(section, description, syntax).with_sql_example(example).build();
        TableFunction { name, example, signature: Signature::variadic_any(Volatility::Volatile), documentation }
    }

    fn misplaced(&self) -> String {
        format!("{} is a table function, written where tables are: {}", self.name, self.example)
    }
}

/// The entry of a table function of a host's own among the routines.
pub fn table_function(name: &'static str, description: &str, syntax: &str, example: &'static str) -> ScalarUDF {
    ScalarUDF::from(TableFunction::new(name, description, syntax, example))
}

/// Whether there is a table function of that name, in small letters.
pub fn is_table_function(name: &str) -> bool {
    documented().iter().any(|function| function.name == name)
}

/// All table functions, in the order of their names.
pub(crate) fn documented() -> [TableFunction; 19] {
    [
        TableFunction::new(
            assumed_independences::NAME,
            "What the network of a country takes to be independent: one row for each variable and those it does not depend on once others are given.",
            "assumed_independences(country)",
            "SELECT * FROM assumed_independences('usa')",
        ),
        TableFunction::new(
            compare::NAME,
            "Whether two tables agree, one row a column that both have: the total variation distance `tvd`, the one that chance alone makes between samples of these sizes (`noise_floor`), the Jensen-Shannon distance in base 2 (`jsd`), a chi-square test, and a verdict. Numbers of many values are compared in ten bands. `columns` names the columns, and in parentheses the combinations, to compare. Holm's correction over all rows keeps the chance that any of them says `differs` of two samples of the same people at `alpha`.",
            "compare(a, b [, columns => (column | (column, column [, …]) [, …])] [, weights_a => expression] [, weights_b => expression] [, alpha => number])",
            "SELECT * FROM compare(usa, imported, columns => (age, state, (sex, marital_status)))",
        ),
        TableFunction::new(
            complete_persona::NAME,
            "Rows with some facts, and the others drawn from what the country's network says of them given these (the posterior), exactly. NULL is what is not known, in any pattern; with `nulls => 'known'` it is the level that is NULL, such as the occupation of those who have none, where a column has one. What is drawn depends on the seed and on the row's key alone: `key`, or the column `uuid`, or else all values of the row (equal rows are numbered). Facts that nobody has together are an error, or with `on_impossible => 'null'` the rest of their row stays NULL. The columns are those of sample_persona, then those of the query that it has not; `seed`, `row_index` and `given` are NULL.",
            "complete_persona(country, people [, key => expression] [, seed => number] [, nulls => 'unknown' | 'known'] [, on_impossible => 'error' | 'null'])",
            "SELECT * FROM complete_persona('usa', (SELECT 'Mary' AS first_name, 34 AS age, 'TX' AS state))",
        ),
        TableFunction::new(
            counterfactual::NAME,
            "The same people with something otherwise: for each person a twin, for whom `set` holds, and of whom only what depends on that by the network is drawn again, with the person's own random numbers; columns in `keep` stay. People are rows of a table or a query with a `uuid`, or one person by the uuid, looked for in the table that is called as the country is. Those drawn here have the random numbers that they were drawn by; those from elsewhere numbers that agree with their facts (abduction, action, prediction: Pearl 2009). Integers keep their place in the distribution; levels without an order are drawn by the Gumbel-max model (Oberst and Sontag 2019), in which a level gives way only to one whose odds against it have risen. In the network the twins of many people are drawn from P(Y | do(set)). The order of drawing is not an order of causes: an arrow from sex to age is there because a table was published so, and whoever reads an effect from twins argues for the arrows. `twin_of` is the uuid of the original; `seed`, `row_index` and `given` are NULL.",
            "counterfactual(country, people | uuid, set => (column = value [, …]) [, keep => (column [, …])])",
            "SELECT * FROM counterfactual('usa', (SELECT * FROM sample_persona('usa', 3, seed => 1)), set => (sex = 'Male'))",
        ),
        TableFunction::new(
            duplicates::NAME,
            "Texts that nearly copy another, one row a copy: the person's `uuid`, whose text it copies (`copy_of`), which `narrative`, and how alike the two are (`similarity`). By words, the estimated Jaccard similarity of runs of three words, without the people's names; by vectors, the cosine similarity. Rows come in the order of the table; the earlier of two texts is the one copied.",
            "duplicates(table [, \"column\" => narrative | (narrative, …)] [, method => 'words' | 'vectors'] [, threshold => number] [, \"where\" => condition])",
            "SELECT * FROM duplicates(usa, \"column\" => 'persona', threshold => 0.7)",
        ),
        TableFunction::new(
            fidelity::NAME,
            "Whether a table agrees with the figures of a country, one row a figure, a margin or a cell: the total variation distance `tvd`, the one that chance alone makes in a sample of this size (`noise_floor`), the Jensen-Shannon distance in base 2 (`jsd`), a chi-square test with neighbouring cells pooled until 5 rows are expected in each, and a verdict. A figure differs if its joint table or the margin of one of its columns does; Holm's correction over all of them keeps the chance that any figure differs in a sample of the country's people at `alpha`. Figures are judged against the country's network: `basis` is `figure` where it was made to meet them, and otherwise `drift` says how far it is from their own shares. Rows that a figure does not cover are `outside`; values that are no level are `unmatched`. With `weights`, `n` is Kish's effective number of rows.",
            "fidelity(table, country [, figure => name] [, detail => 'figures' | 'margins' | 'cells'] [, weights => number] [, alpha => number])",
            "SELECT figure, tvd, noise_floor, verdict FROM fidelity((SELECT * FROM sample_persona('usa', 100000)), 'usa')",
        ),
        TableFunction::new(
            generate_persona::NAME,
            "People drawn from a country's official figures and written up: their facts, every narrative, the narrator, and why a narrative is missing. `language` is one of those that the country's texts are written in; the column `narrative_language` then says which.",
            "generate_persona(country, count [, seed => number] [, given => predicate] [, narrator => name] [, language => code])",
            "SELECT first_name, persona FROM generate_persona('usa', 5, seed => 42)",
        ),
        TableFunction::new(
            hybrid_search::NAME,
            "The k best rows by words and by meaning together: a row's `score` is the sum of 1 / (60 + rank) over its ranks in the two (reciprocal rank fusion, Cormack et al. 2009), of the first 10 k of each, at least 100. `text_score`, `text_rank`, `semantic_score` and `semantic_rank` tell where it comes from. Conditions, several narratives, quotas and diversity as in `semantic_search`, `language` as in `text_search`.",
            "hybrid_search(table, query [, k] [, \"column\" => narrative | (narrative, …)] [, weights => (number, …)] [, \"where\" => condition] [, max_per => (column, number)] [, diversity => number] [, language => name])",
            "SELECT * FROM hybrid_search(usa, 'keeps bees', 10, \"where\" => state = 'VT', max_per => (city, 1))",
        ),
        TableFunction::new(
            persona_probability::NAME,
            "The exact share of a country's population that satisfies a predicate, and the number of people it comes to.",
            "persona_probability(country, given => predicate)",
            "SELECT * FROM persona_probability('usa', given => state = 'WY' AND age > 95)",
        ),
        TableFunction::new(
            rake::NAME,
            "A table with a `weight` for each row, by which it has the margins of a country's people: those of its `figures`, and of `margins`, columns and expressions such as age_band(age, 30, 60), alone or several in parentheses, whose shares are told exactly by the country's network. The weights are those nearest to the ones that rows come with (`weights`, or all alike) by iterative proportional fitting, and add up to the number of rows or to `total`. `max_weight` cuts weights to so many times the mean one. Cells with people but no rows are an error, or spread over the others. `detail => 'margins'` says how each margin was met before and after, and what the weights cost: `effective_rows` is Kish's number of rows of equal weight.",
            "rake(table, country [, figures => (name [, …])] [, margins => (expression | (expression, expression [, …]) [, …])] [, weights => number] [, max_weight => number] [, on_empty => 'error' | 'skip'] [, total => number] [, detail => 'rows' | 'margins'])",
            "SELECT sum(weight * age) / sum(weight) FROM rake(usa, 'usa', margins => (state, (sex, age_band(age, 30, 45, 60))))",
        ),
        TableFunction::new(
            rebalance::NAME,
            "Which strata a table has too few rows of beside a country's people, most missing first: the rows `observed`, those `expected` in a table of `size` rows (as many as it has, unless told), how many are `missing`, and a predicate that holds of the stratum's people, for `given`. Strata are combinations of columns and of expressions over one variable each; their shares are told exactly by the country's network. `residual` is the difference of the shares in standard errors.",
            "rebalance(table, country, strata => (expression [, …]) [, size => number])",
            "SELECT sex, age_band, observed, expected, missing, given FROM rebalance(usa, 'usa', strata => (sex, age_band(age, 30, 60)))",
        ),
        TableFunction::new(
            sample_persona::NAME,
            "People drawn from a country's official figures, all of whom satisfy the predicate; the same people for the same seed. Without a seed a fresh one is taken, and the column `seed` has it. With `margins` they are drawn to other totals, such as another year's ages: from the distribution nearest to the country's, of all that meet the totals (the one of least Kullback-Leibler divergence; Csiszár 1975), of those who satisfy the predicate where there is one. The query has columns of the country and one of numbers, counts or shares; each row is a cell of the margin over its columns that are not NULL, so that GROUPING SETS of several are several margins. Integers may be bands, '18-24' or '85+'. Totals that cannot be met are told with the gap.",
            "sample_persona(country, count [, seed => number] [, given => predicate] [, margins => query])",
            "SELECT * FROM sample_persona('usa', 1000, given => age >= 65)",
        ),
        TableFunction::new(
            semantic_search::NAME,
            "The k rows of a table that are nearest in meaning to a text, nearest first, with their `score`: the cosine similarity. The condition is applied before the search. Of several narratives the best counts, and `matched` says which, or with `weights` their weighted mean. `max_per` shows at most so many rows of each value of a column. `diversity` (0 to 1) chooses rows that are near the text and unlike each other, by maximal marginal relevance with λ = 1 − diversity.",
            "semantic_search(table, query [, k] [, \"column\" => narrative | (narrative, …)] [, weights => (number, …)] [, \"where\" => condition] [, max_per => (column, number)] [, diversity => number])",
            "SELECT * FROM semantic_search(usa, 'retired teacher who keeps bees', 10, \"where\" => state = 'VT')",
        ),
        TableFunction::new(
            similar_to::NAME,
            "The k people nearest to a person, whom their `uuid` names, by the vectors of their texts; the person is left out. Conditions, several narratives, quotas and diversity as in `semantic_search`.",
            "similar_to(table, uuid [, k] [, \"column\" => narrative | (narrative, …)] [, weights => (number, …)] [, \"where\" => condition] [, max_per => (column, number)] [, diversity => number])",
            "SELECT first_name, score FROM similar_to(usa, '0123456789abcdef0123456789abcdef', 5, max_per => (state, 1))",
        ),
        TableFunction::new(
            stereotype_index::NAME,
            "How well the narratives of a table tell an attribute of the people, one row a narrative: the `accuracy`, averaged over the attribute's values, with which naive Bayes on words names the value of people it has not seen, the `baseline` of a guess, and the `stereotype_index` between them: 0 is a guess, 1 certainty. People's names, pronouns, titles and numbers are left out, and what `ignore` names. `noise_floor` is the index that nineteen of twenty tables without any association stay under, by drawing the attribute's values at random `permutations` times; a narrative `tells` where Holm's correction over all narratives keeps false alarms at `alpha`. `words` has those that tell most of each value, where a narrative tells.",
            "stereotype_index(table, attribute => expression [, narratives => (column [, …])] [, ignore => (word [, …])] [, permutations => number] [, folds => number] [, size => number] [, seed => number] [, alpha => number])",
            "SELECT narrative, stereotype_index, noise_floor, verdict, words FROM stereotype_index(usa, attribute => sex)",
        ),
        TableFunction::new(
            stratified_sample::NAME,
            "So many rows of each stratum of a table, drawn without replacement, with their `stratum` and their `sampling_weight`: the rows of the stratum for each one taken. The same rows for the same seed, in whatever order the table has them: by its column `uuid`, or else by what they hold. A stratum with fewer rows than its quota is an error, unless `on_short` says otherwise.",
            "stratified_sample(table, n, strata => (expression [, …]) [, allocation => 'proportional' | 'equal' | 'neyman' | quotas] [, study_variable => number] [, min_per_stratum => number] [, max_per_stratum => number] [, on_short => 'error' | 'take_all' | 'redistribute'] [, seed => number])",
            "SELECT * FROM stratified_sample(usa, 1000, strata => (state, age_band(age, 30, 60)), seed => 7)",
        ),
        TableFunction::new(
            table_sample::NAME,
            "Some rows of a table or a query, by chance: each by itself (BERNOULLI, and SYSTEM all the same), or so many ROWS. The same rows for the same seed, in whatever order the table has them: by its column `uuid`, or else by what they hold. A larger share of the same seed holds the smaller one.",
            "table TABLESAMPLE BERNOULLI (percentage) | (number PERCENT) | (number ROWS) [REPEATABLE (seed)]",
            "SELECT * FROM usa TABLESAMPLE BERNOULLI (5) REPEATABLE (7)",
        ),
        TableFunction::new(
            text_search::NAME,
            "The k rows of a table with the words of a text, best first, with their `score`: BM25 (k1 1.2, b 0.75). Words are stemmed in the language of the rows' country, or else as their texts are plainly in; languages without a stemmer are parted into words by ICU. An index made by CREATE INDEX … USING text is used; without one the rows that satisfy the condition are read, and rarity is counted among them. Conditions, several narratives, quotas and diversity as in `semantic_search`.",
            "text_search(table, query [, k] [, \"column\" => narrative | (narrative, …)] [, weights => (number, …)] [, \"where\" => condition] [, max_per => (column, number)] [, diversity => number] [, language => name])",
            "SELECT first_name, score FROM text_search(usa, 'keeps bees', 10, \"where\" => state = 'VT')",
        ),
        TableFunction::new(
            validate::NAME,
            "What is wrong with the people of a table, one row a violation. Of texts: blank, refusal, length, the name missing, another age, sex, job or place than the facts say, another language, contact data, a near-copy of another person's text. Of columns, by the figures of the country that the row or `country` names: pairs of values that nobody has, or hardly anybody (`geography`, `age_marital`, `education_occupation`, `demographics`), and values that are not known. Texts are checked in the language that the row (`narrative_language`) or `language` names, or else in the country's.",
            "validate(table [, country => text] [, language => code])",
            "SELECT check, count(*) FROM validate(usa) GROUP BY check",
        ),
    ]
}

impl ScalarUDFImpl for TableFunction {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        plan_err!("{}", self.misplaced())
    }

    fn invoke_with_args(&self, _: ScalarFunctionArgs) -> Result<ColumnarValue> {
        exec_err!("{}", self.misplaced())
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&self.documentation)
    }
}
