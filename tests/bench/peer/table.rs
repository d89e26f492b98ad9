//! The rounds of a stage as tables: medians with their spread, and ratios round by round.

use crate::scenes::Figures;

type Column = (&'static str, fn(&Figures) -> f64);

const COLUMNS: [Column; 6] = [
    ("CPU µs", |figures| figures.cpu),
    ("per second", |figures| figures.rate),
    ("p50 ms", |figures| figures.p50),
    ("p99 ms", |figures| figures.p99),
    ("MiB", |figures| figures.memory),
    ("KiB each", |figures| figures.each.unwrap_or_default()),
];

/// Prints the figures of all servers, and compares the first with each of the others.
pub fn print(title: &str, unit: &str, servers: &[(&str, Vec<Figures>)]) {
    println!("\n### {title} (per {unit})\n");
    let has_each = servers.iter().any(|(_, rounds)| rounds.iter().any(|it| it.each.is_some()));
    let columns = &COLUMNS[..COLUMNS.len() - usize::from(!has_each)];
    let names = Vec::from_iter(columns.iter().map(|(name, _)| *name));
    println!("| | {} | lost, doubled, reordered, refused | others' cores |", names.join(" | "));
    println!("|---|{}---|---|", "---|".repeat(names.len()));
    for (name, rounds) in servers {
        let cells = columns.iter().map(|(_, of)| spread(rounds.iter().map(of).collect()));
        let counts: [fn(&Figures) -> u64; 4] =
            [|it| it.lost, |it| it.doubled, |it| it.reordered, |it| it.refused];
        let wrong = counts.map(|of| rounds.iter().map(of).sum::<u64>().to_string());
        let cells = Vec::from_iter(cells).join(" | ");
        let others = median(&mut Vec::from_iter(rounds.iter().map(|it| it.others)));
        println!("| {name} | {cells} | {} | {others:.1} |", wrong.join(", "));
    }
    let [(first, ours), others @ ..] = servers else { return };
    for (name, theirs) in others {
        let cells = columns.iter().map(|(_, of)| {
            spread(ours.iter().zip(theirs).map(|(our, their)| of(our) / of(their)).collect())
        });
        println!("| **{first} / {name}** | {} | | |", Vec::from_iter(cells).join(" | "));
    }
}

/// The median, the lowest and the highest value.
fn spread(mut values: Vec<f64>) -> String {
    let median = median(&mut values);
    format!("{} ({}–{})", short(median), short(values[0]), short(values[values.len() - 1]))
}

/// The median; this sorts the values.
pub fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn short(value: f64) -> String {
    match value.abs() {
        ..10.0 => format!("{value:.2}"),
        ..100.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}
