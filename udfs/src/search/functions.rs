//! The five searches, as a session has them.

use super::{By, request};
use crate::call::table_function::{Parameter, TableFunction};

/// `fact_search(table, query, k, facts => …, column => …, where => …)`: by what is known of people and by what their
/// texts mean.
pub(crate) const FACT_SEARCH: TableFunction = TableFunction {
    name: "fact_search",
    parameters: &[
        Parameter::required("table", "").relation(),
        Parameter::required("query", ""),
        Parameter::optional("k", ""),
        Parameter::optional("facts", "column | (column, …)"),
        Parameter::optional("column", "narrative | (narrative, …)"),
        Parameter::optional("weights", "(number, …)"),
        Parameter::optional("where", "condition"),
        Parameter::optional("max_per", "(column, number)"),
        Parameter::optional("diversity", "number"),
        Parameter::optional("rerank", "model"),
    ],
    positional: 3,
    description: "The k people of whom what is known, and what their texts mean, is nearest to a text, in whatever language: the values of columns (an occupation, a family situation, each hobby of a list) are labels, each label is compared with the text by meaning, and `fact` tells a person's nearest one and `fact_score` its similarity, after what all labels of the language have in common is taken off. `semantic_score` is as in `semantic_search`. `score` is the first plus half of the second, each by how many standard deviations it is above the mean of the people in the same language. `facts` names the columns; without it these are all columns of words and lists of words but names, identifiers, cities and districts, and skills. Values of more than 80 bytes, and columns with more than 5,000 values, are left out. Beyond 10,000 people the texts count of those with the nearest facts and of those with the nearest texts. Labels are embedded when they are first met, and kept. Tables without vectors are searched by facts alone. Conditions, several narratives, quotas, diversity and reranking as in `semantic_search`.",
    example: "SELECT first_name, fact, score FROM fact_search(usa, 'sings with others', 10, where => age < 40)",
    plan: |arguments, populace, context| request::plan("fact_search", By::Facts, arguments, populace, context),
};

/// `hybrid_search(table, query, k, column => …, where => …)`: by words and by meaning, the two rankings fused.
pub(crate) const HYBRID_SEARCH: TableFunction = TableFunction {
    name: "hybrid_search",
    parameters: &[
        Parameter::required("table", "").relation(),
        Parameter::required("query", ""),
        Parameter::optional("k", ""),
        Parameter::optional("column", "narrative | (narrative, …)"),
        Parameter::optional("weights", "(number, …)"),
        Parameter::optional("where", "condition"),
        Parameter::optional("max_per", "(column, number)"),
        Parameter::optional("diversity", "number"),
        Parameter::optional("rerank", "model"),
        Parameter::optional("language", "name"),
    ],
    positional: 3,
    description: "The k best rows by words and by meaning together: a row's `score` is the sum of 1 / (60 + rank) over its ranks in the two (reciprocal rank fusion, Cormack et al. 2009), of the first 10 k of each, at least 100. `text_score`, `text_rank`, `semantic_score` and `semantic_rank` tell where it comes from. Conditions, several narratives, quotas, diversity and reranking as in `semantic_search`, `language` as in `text_search`.",
    example: "SELECT * FROM hybrid_search(usa, 'keeps bees', 10, where => state = 'VT', max_per => (city, 1))",
    plan: |arguments, populace, context| request::plan("hybrid_search", By::Both, arguments, populace, context),
};

/// `semantic_search(table, query, k, column => …, where => …)`: the rows nearest in meaning to a text.
pub(crate) const SEMANTIC_SEARCH: TableFunction = TableFunction {
    name: "semantic_search",
    parameters: &[
        Parameter::required("table", "").relation(),
        Parameter::required("query", ""),
        Parameter::optional("k", ""),
        Parameter::optional("column", "narrative | (narrative, …)"),
        Parameter::optional("weights", "(number, …)"),
        Parameter::optional("where", "condition"),
        Parameter::optional("max_per", "(column, number)"),
        Parameter::optional("diversity", "number"),
        Parameter::optional("rerank", "model"),
    ],
    positional: 3,
    description: "The k rows of a table that are nearest in meaning to a text, nearest first, with their `score`: the cosine similarity. The condition is applied before the search. Of several narratives the best counts, and `matched` says which, or with `weights` their weighted mean. `max_per` shows at most so many rows of each value of a column. `diversity` (0 to 1) chooses rows that are near the text and unlike each other, by maximal marginal relevance with λ = 1 − diversity. `rerank` names a model that reads the query and each of the first 50 rows (or k) together: these are shown in the order of its scores, which `score` then is: 'bge-reranker-v2-m3' (and others that fastembed knows), or 'openai:MODEL' behind a server.",
    example: "SELECT * FROM semantic_search(usa, 'retired teacher who keeps bees', 10, where => state = 'VT')",
    plan: |arguments, populace, context| request::plan("semantic_search", By::Meaning, arguments, populace, context),
};

/// `similar_to(table, uuid, k, column => …, where => …)`: the people nearest to a person, by the vectors of their texts.
pub(crate) const SIMILAR_TO: TableFunction = TableFunction {
    name: "similar_to",
    parameters: &[
        Parameter::required("table", "").relation(),
        Parameter::required("uuid", ""),
        Parameter::optional("k", ""),
        Parameter::optional("column", "narrative | (narrative, …)"),
        Parameter::optional("weights", "(number, …)"),
        Parameter::optional("where", "condition"),
        Parameter::optional("max_per", "(column, number)"),
        Parameter::optional("diversity", "number"),
    ],
    positional: 3,
    description: "The k people nearest to a person, whom their `uuid` names, by the vectors of their texts; the person is left out. Conditions, several narratives, quotas and diversity as in `semantic_search`.",
    example: "SELECT first_name, score FROM similar_to(usa, '0123456789abcdef0123456789abcdef', 5, max_per => (state, 1))",
    plan: |arguments, populace, context| request::plan("similar_to", By::Person, arguments, populace, context),
};

/// `text_search(table, query, k, column => …, where => …)`: the rows with the words of a text, by BM25.
pub(crate) const TEXT_SEARCH: TableFunction = TableFunction {
    name: "text_search",
    parameters: &[
        Parameter::required("table", "").relation(),
        Parameter::required("query", ""),
        Parameter::optional("k", ""),
        Parameter::optional("column", "narrative | (narrative, …)"),
        Parameter::optional("weights", "(number, …)"),
        Parameter::optional("where", "condition"),
        Parameter::optional("max_per", "(column, number)"),
        Parameter::optional("diversity", "number"),
        Parameter::optional("rerank", "model"),
        Parameter::optional("language", "name"),
    ],
    positional: 3,
    description: "The k rows of a table with the words of a text, best first, with their `score`: BM25 (k1 1.2, b 0.75). Words are stemmed in the language of the rows' country, or else as their texts are plainly in; languages without a stemmer are parted into words by ICU. An index made by CREATE INDEX … USING text is used; without one the rows that satisfy the condition are read, and rarity is counted among them. Conditions, several narratives, quotas, diversity and reranking as in `semantic_search`.",
    example: "SELECT first_name, score FROM text_search(usa, 'keeps bees', 10, where => state = 'VT')",
    plan: |arguments, populace, context| request::plan("text_search", By::Words, arguments, populace, context),
};
