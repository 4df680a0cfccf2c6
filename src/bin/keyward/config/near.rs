//! The name that was most likely meant.

use strsim::normalized_damerau_levenshtein;

/// How alike two names have to be, at least, for one to be suggested in place of the other.
const ALIKE: f64 = 0.6;

/// The one of these names that this one is most likely meant to be.
pub fn nearest<'a>(name: &str, of: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    // Long names are no slips; to compare them would take its time.
    if name.len() > 255 {
        return None;
    }
    let alike = of.map(|known| (normalized_damerau_levenshtein(name, known), known));
    alike
        .filter(|(alike, _)| *alike >= ALIKE)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, known)| known)
}

/// What is said of a name for which there is nothing, where something may have been meant.
pub fn did_you_mean<'a>(name: &str, of: impl Iterator<Item = &'a str>) -> String {
    nearest(name, of).map_or_else(String::new, |near| {
        format!("; did you mean `{}`?", near.escape_debug())
    })
}
