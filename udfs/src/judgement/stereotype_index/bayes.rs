//! Naive Bayes on the words of texts, by cross-validation, and the words that tell most.
//!
//! Multinomial naive Bayes with each word counted once a text (A. McCallum and K. Nigam, "A comparison of event models for
//! naive Bayes text classification", 1998); the classes are equally likely beforehand, and a class's words are smoothed
//! towards those of all texts, so that a rare class is not taken for one of rare words.

use std::collections::BTreeMap;

/// Texts as sets of words, by number.
#[derive(Debug, Default)]
pub(crate) struct Corpus {
    words: Vec<u32>,
    /// Where each text ends
    ends: Vec<usize>,
    /// In how many texts each word is
    counts: Vec<u32>,
}

impl Corpus {
    /// Texts of words numbered below `vocabulary`.
    pub fn new(texts: impl IntoIterator<Item = Vec<u32>>, vocabulary: usize) -> Corpus {
        let mut corpus = Corpus { counts: vec![0; vocabulary], ..Corpus::default() };
        for text in texts {
            text.iter().for_each(|word| corpus.counts[*word as usize] += 1);
            corpus.words.extend(text);
            corpus.ends.push(corpus.words.len());
        }
        corpus
    }

    fn text(&self, at: usize) -> &[u32] {
        let from = if at == 0 { 0 } else { self.ends[at - 1] };
        &self.words[from..self.ends[at]]
    }

    /// The share of all words that each is, times the mass of what a class's words are smoothed with: one count a word.
    fn prior(&self) -> Vec<f64> {
        let scale = self.counts.len() as f64 / (self.words.len() as f64).max(1.0);
        self.counts.iter().map(|count| f64::from(*count) * scale).collect()
    }
}

/// The share of each class's texts that is recognised by a model of the texts in the other folds, averaged over the
/// classes: 1 / classes is a guess.
pub(crate) fn accuracy(corpus: &Corpus, labels: &[u16], classes: usize, folds: &[u16], fold_count: usize) -> f64 {
    let vocabulary = corpus.counts.len();
    let prior = corpus.prior();
    let at = |word: u32, class: usize| word as usize * classes + class;
    let (mut all, mut of_all) = (vec![0u32; vocabulary * classes], vec![0.0; classes]);
    for (text, label) in labels.iter().enumerate() {
        let class = usize::from(*label);
        corpus.text(text).iter().for_each(|word| all[at(*word, class)] += 1);
        of_all[class] += corpus.text(text).len() as f64;
    }
    let (mut right, mut texts) = (vec![0u32; classes], vec![0u32; classes]);
    let mut logs = vec![0.0; vocabulary * classes];
    let mut scores = vec![0.0; classes];
    for fold in 0..fold_count {
        let of_fold = || (0..labels.len()).filter(|text| usize::from(folds[*text]) == fold);
        let (mut held_out, mut of_held_out) = (vec![0u32; vocabulary * classes], vec![0.0; classes]);
        for text in of_fold() {
            let class = usize::from(labels[text]);
            corpus.text(text).iter().for_each(|word| held_out[at(*word, class)] += 1);
            of_held_out[class] += corpus.text(text).len() as f64;
        }
        for (cell, log) in logs.iter_mut().enumerate() {
            let (word, class) = (cell / classes, cell % classes);
            let total = of_all[class] - of_held_out[class] + vocabulary as f64;
            *log = ((f64::from(all[cell] - held_out[cell]) + prior[word]) / total).ln();
        }
        for text in of_fold() {
            scores.fill(0.0);
            for word in corpus.text(text) {
                let of_word = &logs[at(*word, 0)..at(*word, 0) + classes];
                scores.iter_mut().zip(of_word).for_each(|(score, log)| *score += log);
            }
            let mut best = 0;
            (1..classes).for_each(|class| best = if scores[class] > scores[best] { class } else { best });
            let class = usize::from(labels[text]);
            texts[class] += 1;
            right[class] += u32::from(best == class);
        }
    }
    let shares = right.iter().zip(&texts).map(|(right, texts)| f64::from(*right) / f64::from(*texts).max(1.0));
    shares.sum::<f64>() / classes as f64
}

/// The words that tell most of each class: those whose log odds in its texts are furthest above those in the others, in
/// standard errors, and by more than `least` of them (B. Monroe, M. Colaresi and K. Quinn, "Fightin' words", Political
/// Analysis 16, 2008: log-odds ratios with an informative Dirichlet prior).
pub(crate) fn telling(
    corpus: &Corpus,
    labels: &[u16],
    classes: usize,
    least: f64,
    most: usize,
) -> Vec<Vec<(u32, f64)>> {
    let prior = corpus.prior();
    let vocabulary = corpus.counts.len();
    let mut counts = vec![0.0; vocabulary * classes];
    let mut totals = vec![0.0; classes];
    for (text, label) in labels.iter().enumerate() {
        let class = usize::from(*label);
        corpus.text(text).iter().for_each(|word| counts[*word as usize * classes + class] += 1.0);
        totals[class] += corpus.text(text).len() as f64;
    }
    let all: f64 = totals.iter().sum();
    let of_class = |class: usize| {
        let z = |word: usize| {
            let here = counts[word * classes + class] + prior[word];
            let there = f64::from(corpus.counts[word]) - counts[word * classes + class] + prior[word];
            let (mass, elsewhere) = (totals[class] + vocabulary as f64, all - totals[class] + vocabulary as f64);
            let odds = (here / (mass - here).max(f64::MIN_POSITIVE)).ln()
                - (there / (elsewhere - there).max(f64::MIN_POSITIVE)).ln();
            odds / (1.0 / here + 1.0 / there).sqrt()
        };
        best((0..vocabulary).map(|word| (word as u32, z(word))), least, most)
    };
    (0..classes).map(of_class).collect()
}

/// The words that tell most of each class beyond what the group of a text tells: those whose number of texts in the class
/// is furthest above what the classes of each group leave to expect, in standard errors, and by more than `least` of them
/// (N. Mantel and W. Haenszel, "Statistical aspects of the analysis of data from retrospective studies of disease",
/// Journal of the National Cancer Institute 22, 1959).
pub(crate) fn telling_within(
    corpus: &Corpus,
    labels: &[u16],
    groups: &[Vec<usize>],
    classes: usize,
    least: f64,
    most: usize,
) -> Vec<Vec<(u32, f64)>> {
    // Of each word and class, the texts above what is expected, and the variance of their number.
    let mut sums = vec![(0.0, 0.0); corpus.counts.len() * classes];
    for group in groups.iter().filter(|group| group.len() > 1) {
        let n = group.len() as f64;
        let mut of_class = vec![0.0; classes];
        let mut words: BTreeMap<u32, Vec<f64>> = BTreeMap::new();
        for text in group {
            let class = usize::from(labels[*text]);
            of_class[class] += 1.0;
            for word in corpus.text(*text) {
                words.entry(*word).or_insert_with(|| vec![0.0; classes])[class] += 1.0;
            }
        }
        for (word, found) in words {
            let with: f64 = found.iter().sum();
            for class in 0..classes {
                let share = of_class[class] / n;
                let (sum, variance) = &mut sums[word as usize * classes + class];
                *sum += found[class] - with * share;
                *variance += with * share * (1.0 - share) * (n - with) / (n - 1.0);
            }
        }
    }
    let of_class = |class: usize| {
        let z = |word: usize| {
            let (sum, variance) = sums[word * classes + class];
            if variance > 0.0 { sum / variance.sqrt() } else { 0.0 }
        };
        best((0..corpus.counts.len()).map(|word| (word as u32, z(word))), least, most)
    };
    (0..classes).map(of_class).collect()
}

fn best(words: impl Iterator<Item = (u32, f64)>, least: f64, most: usize) -> Vec<(u32, f64)> {
    let mut words: Vec<(u32, f64)> = words.filter(|(_, z)| *z > least).collect();
    words.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    words.truncate(most);
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use populace_population::permuted;
    use std::collections::BTreeSet;

    /// A word that goes by the group is none of the class's, however the classes are spread over the groups; one that goes
    /// by the class within each group is.
    #[test]
    fn what_a_group_tells_is_not_the_class_s() {
        // Nine of ten texts of the first group are of class 0, one of ten of the second.
        let labels: Vec<u16> = (0..200).map(|i| u16::from((i % 10 == 0) == (i < 100))).collect();
        let text = |i: u16| vec![u32::from(i >= 100), 2 + u32::from(labels[usize::from(i)])];
        let corpus = Corpus::new((0..200).map(text), 4);
        let groups = [(0..100).collect::<Vec<usize>>(), (100..200).collect()];
        let told = |words: Vec<Vec<(u32, f64)>>| -> Vec<Vec<u32>> {
            let sorted =
                |of: Vec<(u32, f64)>| BTreeSet::from_iter(of.into_iter().map(|(word, _)| word)).into_iter().collect();
            words.into_iter().map(sorted).collect()
        };
        assert_eq!(told(telling_within(&corpus, &labels, &groups, 2, 2.5, 5)), [[2], [3]]);
        assert_eq!(told(telling(&corpus, &labels, 2, 2.5, 5)), [[0, 2], [1, 3]]);
    }

    /// 200 texts of a common word and one of 20 others; the first half of those is used by the first class alone.
    fn told(strength: u32) -> (Corpus, Vec<u16>, Vec<u16>) {
        let labels: Vec<u16> = (0..200).map(|i| (i % 2) as u16).collect();
        let word = |i: u32| if (i / 2) % 10 < strength { 1 + (i / 2) % 10 + 10 * (i % 2) } else { 1 + (i / 2) % 20 };
        let corpus = Corpus::new((0..200).map(|i| vec![0, word(i)]), 21);
        let folds = (0..200).map(|i| (i / 20 % 5) as u16).collect();
        (corpus, labels, folds)
    }

    #[test]
    fn classes_are_told_by_their_words() {
        let (corpus, labels, folds) = told(10);
        assert_eq!(accuracy(&corpus, &labels, 2, &folds, 5), 1.0);
        let words = telling(&corpus, &labels, 2, 2.0, 3);
        assert!(words[0].len() == 3 && words[0].iter().all(|(w, _)| (1..=10).contains(w)), "{words:?}");
        assert!(words[1].iter().all(|(w, z)| *w > 10 && *z > 2.0), "{words:?}");
        let (corpus, labels, folds) = told(0);
        assert!((accuracy(&corpus, &labels, 2, &folds, 5) - 0.5).abs() < 0.1);
        assert!(telling(&corpus, &labels, 2, 2.0, 3).iter().all(Vec::is_empty));
    }

    /// A class of a tenth of the texts, with the same words as the others, is not taken for any text.
    #[test]
    fn a_rare_class_is_no_better_guess() {
        let labels: Vec<u16> = (0..1000).map(|i| u16::from(i % 10 == 0)).collect();
        let random = |number: u32| (permuted(u128::from(number), 3) % 500) as u32;
        let texts = (0..1000).map(|i| (0..20).map(|k| random(i * 20 + k)).collect::<Vec<_>>());
        let texts = texts.map(|mut words| {
            words.sort_unstable();
            words.dedup();
            words
        });
        let corpus = Corpus::new(texts, 500);
        let folds: Vec<u16> = (0..1000).map(|i| (i / 10 % 5) as u16).collect();
        let accuracy = accuracy(&corpus, &labels, 2, &folds, 5);
        assert!((accuracy - 0.5).abs() < 0.12, "{accuracy}");
    }

    #[test]
    fn texts_without_words_are_a_guess() {
        let corpus = Corpus::new(vec![vec![]; 10], 0);
        let labels: Vec<u16> = (0..10).map(|i| i % 2).collect();
        assert_eq!(accuracy(&corpus, &labels, 2, &labels, 2), 0.5);
    }
}
