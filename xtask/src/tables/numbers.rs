//! Numbers: from `syscalls.tsv` to two sorted arrays, by name and by number.

use std::fmt::Write as _;

use super::columns::{self, columns};
use super::facts::Facts;
use super::header;
use crate::{Failure, Outcome};

/// Every syscall, sorted by name.
pub struct Calls {
    /// Name, and number for each of [`columns()`].
    pub rows: Vec<(String, Vec<Option<u32>>)>,
}

impl Calls {
    /// Reads `syscalls.tsv`.
    pub fn read(facts: &Facts) -> Outcome<Self> {
        let lines = facts.lines("syscalls.tsv")?;
        let Some((head, body)) = lines.split_first() else {
            return Err(Failure::Broken("syscalls.tsv: no line with the columns' names".to_owned()));
        };
        let mut places = Vec::new();
        for abi in columns() {
            let place = head.columns.iter().position(|name| name == abi.column);
            places.push((place.ok_or_else(|| head.wrong(&format!("no column `{}`", abi.column)))?, abi.base));
        }
        let mut rows = Vec::new();
        for line in body {
            let mut numbers = Vec::new();
            for &(place, base) in &places {
                numbers.push(match line.column(place, "number")? {
                    "-" => None,
                    digits => Some(base + digits.parse::<u32>().map_err(|_| line.wrong("not a number"))?),
                });
            }
            rows.push((line.column(0, "name")?.to_owned(), numbers));
        }
        for line in facts.lines("numbers.tsv")? {
            let (name, column) = (line.column(0, "name")?, line.column(1, "column")?);
            let index = columns().iter().position(|abi| abi.column == column);
            let row = rows.iter_mut().find(|(row, _)| row == name);
            let (Some(index), Some((_, numbers))) = (index, row) else {
                return Err(line.wrong("no such name or column in syscalls.tsv"));
            };
            if numbers[index].is_some() {
                return Err(line.wrong("syscalls.tsv has a number by now; take this line out"));
            }
            let number: u32 = line.column(2, "number")?.parse().map_err(|_| line.wrong("not a number"))?;
            numbers[index] = Some(columns()[index].base + number);
        }
        rows.sort();
        if let Some(pair) = rows.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            return Err(Failure::Broken(format!("syscalls.tsv: `{}` comes twice", pair[0].0)));
        }
        Ok(Self { rows })
    }

    /// Index of a name.
    pub fn index(&self, name: &str) -> Option<usize> {
        self.rows.binary_search_by(|(row, _)| row.as_str().cmp(name)).ok()
    }

    /// Whether an ABI of that name has a number for the call.
    pub fn has(&self, call: usize, abi: &str) -> bool {
        let column = columns::index(abi).map(|index| columns::column_of_abi()[index]);
        column.is_some_and(|column| self.rows[call].1[column].is_some())
    }

    /// `numbers.rs`.
    pub fn emit(&self) -> String {
        let mut out = header(
            "Names and numbers of system calls.",
            &[
                "`xtask/facts/syscalls.tsv`: numbers by architecture, Linux v7.1-rc4, as libseccomp's `syscalls.csv` has them",
                "`xtask/facts/numbers.tsv`: what that lacks",
            ],
        );
        let columns = columns();
        let _ = writeln!(out, "/// Which column each ABI reads, in the order of `Arch`.");
        let _ = writeln!(
            out,
            "pub(super) static COLUMN: [u8; {}] = {:?};\n",
            columns::ABIS.len(),
            columns::column_of_abi()
        );
        let _ = writeln!(out, "/// Stands where an ABI has no number.\npub(super) const NONE: u32 = u32::MAX;\n");
        let _ = writeln!(out, "/// Names, sorted.\npub(super) static NAMES: [&str; {}] = [", self.rows.len());
        for (name, _) in &self.rows {
            let _ = writeln!(out, "    \"{name}\",");
        }
        let _ = writeln!(out, "];\n\n/// For each name its numbers, as `seccomp_data.nr` shows them. Columns:");
        let names: Vec<&str> = columns.iter().map(|abi| abi.column).collect();
        let _ = writeln!(out, "/// {}.", names.join(", "));
        let _ = writeln!(out, "pub(super) static NUMBERS: [[u32; {}]; {}] = [", columns.len(), self.rows.len());
        for (name, numbers) in &self.rows {
            let cells: Vec<String> =
                numbers.iter().map(|number| number.map_or_else(|| "NONE".to_owned(), |nr| nr.to_string())).collect();
            let _ = writeln!(out, "    [{}], // {name}", cells.join(", "));
        }
        let _ = writeln!(
            out,
            "];\n\n/// For each column the calls that it has, as indices into `NAMES`, sorted by number."
        );
        let _ = writeln!(out, "pub(super) static BY_NUMBER: [&[u16]; {}] = [", columns.len());
        for (index, abi) in columns.iter().enumerate() {
            let mut calls: Vec<(u32, usize)> =
                self.rows.iter().enumerate().filter_map(|(call, (_, numbers))| Some((numbers[index]?, call))).collect();
            calls.sort_unstable();
            let calls: Vec<String> = calls.iter().map(|(_, call)| call.to_string()).collect();
            let _ = writeln!(out, "    &[{}], // {}", calls.join(", "), abi.column);
        }
        out.push_str("];\n");
        out
    }
}
