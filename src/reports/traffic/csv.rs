//! Rows as CSV (RFC 4180), safe to open in a spreadsheet.

/// A head and rows as CSV, lines ended by CR LF.
pub fn csv(head: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut text = String::new();
    line(&mut text, head.iter().map(|cell| (*cell).to_owned()));
    for row in rows {
        line(&mut text, row.into_iter());
    }
    text
}

fn line(text: &mut String, cells: impl Iterator<Item = String>) {
    for (at, cell) in cells.enumerate() {
        if at > 0 {
            text.push(',');
        }
        text.push_str(&quoted(&cell));
    }
    text.push_str("\r\n");
}

/// A spreadsheet takes what begins with one of these for a formula, and visitors choose paths and campaigns.
fn quoted(cell: &str) -> String {
    let is_formula = cell.starts_with(['=', '+', '@', '\t', '\r'])
        || (cell.starts_with('-') && cell.parse::<f64>().is_err());
    let cell = if is_formula { format!("'{cell}") } else { cell.to_owned() };
    match cell.contains(['"', ',', '\n', '\r']) {
        true => format!("\"{}\"", cell.replace('"', "\"\"")),
        false => cell,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted_and_formulas_are_texts() {
        let rows =
            [vec!["/a,b".to_owned(), "=1+1".to_owned(), "-3.5".to_owned()], vec!["say \"hi\"".to_owned()]];
        assert_eq!(
            csv(&["page", "x", "n"], rows),
            "page,x,n\r\n\"/a,b\",'=1+1,-3.5\r\n\"say \"\"hi\"\"\"\r\n"
        );
    }
}
