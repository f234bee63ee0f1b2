//! README and guide (`src/guide`): what they show is run, and what they print is compared.
//!
//! A block marked `sh` that a block marked `text` follows at once is run, all blocks of a document in one folder, and what
//! comes out (standard output and error) is to be that text; a line `...` in it stands for any lines. Of a block `sh` that
//! stands alone, and of each `kvplan ...` within a line, the program is asked whether it accepts the command; what simulates
//! is begun too, and held back by `--max-work`. A comment in the line before a block changes that:
//!
//! - `<!-- long -->`: takes longer than a test should, and is run if `KVPLAN_GUIDE=all` only;
//! - `<!-- run -->`: stands alone, and is run all the same, as later blocks need its files;
//! - `<!-- shown -->`: needs what is not here (a server, a network, files of one's own), and is never run;
//! - `<!-- exit 2 -->`: ends with this exit code.
//!
//! `KVPLAN_GUIDE=bless` writes what is printed into the documents, `KVPLAN_GUIDE=bless-all` also where it takes long.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;
use tempfile::TempDir;

/// Most lines of the README.
const MOST_LINES: usize = 200;

/// What is done with blocks.
#[derive(Clone, Copy)]
struct Mode {
    /// Those that take long are run too.
    all: bool,
    /// What is printed is written into the document.
    bless: bool,
}

impl Mode {
    fn asked() -> Mode {
        match std::env::var("KVPLAN_GUIDE").as_deref() {
            Err(_) | Ok("") => Mode {
                all: false,
                bless: false,
            },
            Ok("all") => Mode {
                all: true,
                bless: false,
            },
            Ok("bless") => Mode {
                all: false,
                bless: true,
            },
            Ok("bless-all") => Mode {
                all: true,
                bless: true,
            },
            Ok(other) => {
                panic!("KVPLAN_GUIDE: found \"{other}\", expected all, bless or bless-all")
            }
        }
    }
}

/// A block of commands.
#[derive(Debug, Default, PartialEq)]
struct Block {
    /// Line at which its text begins, from 1.
    line: usize,
    commands: String,
    is_long: bool,
    is_shown: bool,
    is_run: bool,
    exit: i32,
    /// Lines of the text that follows, by their numbers from 0 in the document.
    output: Option<std::ops::Range<usize>>,
}

/// The blocks of commands of a document; every fence is marked with what it holds.
fn blocks(name: &str, text: &str) -> Vec<Block> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found: Vec<Block> = Vec::new();
    // Where the block of commands before ended, as long as only blank lines have followed.
    let mut follows = false;
    let mut marks = "";
    let mut at = 0;
    while at < lines.len() {
        let line = lines[at];
        let Some(language) = line.strip_prefix("```") else {
            if let Some(comment) = line.strip_prefix("<!-- ") {
                marks = comment
                    .strip_suffix(" -->")
                    .unwrap_or_else(|| panic!("{name}:{}: {line}", at + 1));
            }
            if !line.is_empty() {
                follows = false;
            }
            at += 1;
            continue;
        };
        let length = lines[at + 1..].iter().position(|l| *l == "```");
        let end = at + 1 + length.unwrap_or_else(|| panic!("{name}:{}: no end", at + 1));
        match language {
            "sh" => {
                let mut block = Block {
                    line: at + 2,
                    commands: lines[at + 1..end].join("\n"),
                    ..Block::default()
                };
                for mark in marks.split(", ").filter(|m| !m.is_empty()) {
                    match mark.split_once(' ') {
                        None if mark == "long" => block.is_long = true,
                        None if mark == "shown" => block.is_shown = true,
                        None if mark == "run" => block.is_run = true,
                        Some(("exit", code)) => block.exit = code.parse().unwrap(),
                        _ => panic!("{name}:{}: unknown mark {mark}", at + 1),
                    }
                }
                found.push(block);
                follows = true;
            }
            "text" => {
                if follows {
                    let block = found.last_mut().expect("it follows one");
                    block.output = Some(at + 1..end);
                }
                follows = false;
            }
            "toml" | "csv" | "json" => follows = false,
            _ => panic!("{name}:{}: a fence marked \"{language}\"", at + 1),
        }
        marks = "";
        at = end + 1;
    }
    found
}

/// The commands of a line of shell, each as its words; what is redirected is left out.
fn split(script: &str) -> Vec<Vec<String>> {
    let mut all = vec![Vec::new()];
    let mut word: Option<String> = None;
    let mut skip = false;
    let mut chars = script.chars().peekable();
    let end = |word: &mut Option<String>, all: &mut Vec<Vec<String>>, skip: &mut bool| {
        if let Some(word) = word.take()
            && !std::mem::take(skip)
        {
            all.last_mut().expect("there is one").push(word);
        }
    };
    while let Some(c) = chars.next() {
        match c {
            '\\' if chars.peek() == Some(&'\n') => drop(chars.next()),
            '\\' => word.get_or_insert_default().extend(chars.next()),
            '\'' => {
                let word = word.get_or_insert_default();
                word.extend(chars.by_ref().take_while(|c| *c != '\''));
            }
            '"' => {
                let word = word.get_or_insert_default();
                while let Some(c) = chars.next().filter(|c| *c != '"') {
                    word.extend(if c == '\\' { chars.next() } else { Some(c) });
                }
            }
            '#' if word.is_none() => while chars.next_if(|c| *c != '\n').is_some() {},
            '<' | '>' => {
                end(&mut word, &mut all, &mut skip);
                skip = true;
            }
            '\n' | '|' | ';' | '&' | '(' | ')' => {
                end(&mut word, &mut all, &mut skip);
                skip = false;
                all.push(Vec::new());
            }
            c if c.is_whitespace() => end(&mut word, &mut all, &mut skip),
            c => word.get_or_insert_default().push(c),
        }
    }
    end(&mut word, &mut all, &mut skip);
    all.retain(|command| !command.is_empty());
    all
}

/// The arguments of each command of kvplan in a script.
fn of_kvplan(script: &str) -> Vec<Vec<String>> {
    let own = |words: Vec<String>| match &words[..] {
        [first, rest @ ..] if first == "kvplan" => Some(rest.to_vec()),
        [cargo, run, ..] if cargo == "cargo" && run == "run" => {
            let is_other = words.iter().any(|w| w == "--example" || w == "-p");
            let at = words.iter().position(|w| w == "--")?;
            (!is_other).then(|| words[at + 1..].to_vec())
        }
        _ => None,
    };
    split(script).into_iter().filter_map(own).collect()
}

/// What stands in backquotes within the lines of a document, without its blocks.
fn inline(text: &str) -> Vec<String> {
    let mut is_block = false;
    let mut prose = String::new();
    for line in text.lines() {
        if line.starts_with("```") {
            is_block = !is_block;
        } else if !is_block {
            prose.push_str(line);
            prose.push('\n');
        }
    }
    let odd = prose.split('`').skip(1).step_by(2);
    odd.map(|code| code.replace('\n', " ")).collect()
}

/// Whether a text is as it is shown, where a line `...` stands for any lines.
fn agrees(shown: &[&str], printed: &[&str]) -> bool {
    match shown {
        [] => printed.is_empty(),
        ["..."] => true,
        ["...", rest @ ..] => (0..=printed.len()).any(|n| agrees(rest, &printed[n..])),
        [line, rest @ ..] => printed.first() == Some(line) && agrees(rest, &printed[1..]),
    }
}

/// What is printed, with the lines left out that were left out before: those stay that begin like the ones
/// shown, the first such each time.
fn renewed(shown: &[&str], printed: &[&str]) -> Result<Vec<String>, String> {
    let owned = |line: &&str| (*line).to_owned();
    if !shown.contains(&"...") {
        return Ok(printed.iter().map(owned).collect());
    }
    let mut renewed = Vec::new();
    let mut at = 0;
    let leave_out = |from: usize, to: usize, renewed: &mut Vec<String>| match &printed[from..to] {
        [] => {}
        [""] => renewed.push(String::new()),
        _ => renewed.push("...".to_owned()),
    };
    for line in shown {
        // What does not change with the figures: the first word, and those before the first with a digit.
        let is_figure = |word: &&str| word.contains(|c: char| c.is_ascii_digit());
        let words: Vec<&str> = line.split_whitespace().collect();
        let end = words.iter().skip(1).position(is_figure);
        let wanted = &words[..end.map_or(words.len(), |n| n + 1)];
        if *line == "..." || wanted.is_empty() {
            continue;
        }
        let alike = |other: &&str| {
            let both = other.split_whitespace().zip(wanted);
            both.take_while(|(a, b)| a == *b).count()
        };
        let same: Vec<usize> = printed[at..].iter().map(alike).collect();
        let most = same.iter().copied().max().filter(|most| *most > 0);
        let most = most.ok_or_else(|| format!("nothing printed is like: {line}"))?;
        let found = at
            + same
                .iter()
                .position(|n| *n == most)
                .expect("it is the most");
        leave_out(at, found, &mut renewed);
        renewed.push(printed[found].to_owned());
        at = found + 1;
    }
    leave_out(at, printed.len(), &mut renewed);
    Ok(renewed)
}

/// Whether work would be done without `--max-work`, by what holds it back: "found work of about 585M events, 7.0 GB of
/// memory and 14 GB of files, expected at most 1.0 events, 4.0 GB of memory and 10 GB of files".
fn is_let_through(held: &str) -> bool {
    let bytes = |before: &str| {
        let mut words = before.split_whitespace().rev();
        let last = words.next().unwrap();
        let unit = match last {
            "kB" => 1e3,
            "MB" => 1e6,
            "GB" => 1e9,
            "TB" => 1e12,
            bytes => return bytes.parse().unwrap(),
        };
        words.next().unwrap().parse::<f64>().unwrap() * unit
    };
    let of = |name: &str| {
        let all: Vec<f64> = held.split(name).take(2).map(bytes).collect();
        (all[0], all[1])
    };
    let ((memory, most_memory), (files, most_files)) = (of(" of memory"), of(" of files"));
    let events = held.split("about ").nth(1).unwrap();
    let events = events.split(" events").next().unwrap();
    let digits = events.trim_end_matches(char::is_alphabetic);
    let scale = match &events[digits.len()..] {
        "k" => 1e3,
        "M" => 1e6,
        "B" => 1e9,
        "T" => 1e12,
        _ => 1.0,
    };
    let events = digits.parse::<f64>().unwrap() * scale;
    // The most that is let through unasked, as the help of `--max-work` says.
    events <= 20e9 && memory <= most_memory && files <= most_files
}

/// A folder in which the commands of a document are run.
struct Place(TempDir);

impl Place {
    fn new() -> Place {
        let dir = TempDir::new().unwrap();
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        for name in ["models", "tests", "examples"] {
            std::os::unix::fs::symlink(root.join(name), dir.path().join(name)).unwrap();
        }
        fs::create_dir(dir.path().join(".home")).unwrap();
        Place(dir)
    }

    /// A program in this folder, with nothing of who runs the tests.
    fn program(&self, name: &str) -> Command {
        let own = Path::new(env!("CARGO_BIN_EXE_kvplan")).parent().unwrap();
        let mut path = vec![own.to_owned()];
        path.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap()));
        let mut command = Command::new(name);
        command
            .env_clear()
            .env("PATH", std::env::join_paths(path).unwrap())
            .env("HOME", self.0.path().join(".home"))
            .env("LC_ALL", "C")
            .current_dir(self.0.path());
        command
    }

    /// What a script prints, and its exit code.
    fn run(&self, script: &str) -> (String, Option<i32>) {
        let script = format!("exec 2>&1\n{script}");
        let output = self.program("sh").args(["-c", &script]).output().unwrap();
        (
            String::from_utf8(output.stdout).unwrap(),
            output.status.code(),
        )
    }

    /// Asks the program whether it accepts these arguments; what simulates is begun with `begin`.
    fn accepts(&self, args: &[String], begin: bool) -> Result<(), String> {
        // A word that stands for many, as in `kvplan run ...`.
        let args = args.strip_suffix(&["...".to_owned()]).unwrap_or(args);
        let told = |output: &std::process::Output| {
            let text = String::from_utf8_lossy(&output.stderr);
            format!("kvplan {}: {text}", args.join(" "))
        };
        let asks_help = args.iter().any(|a| a == "--help" || a == "--version");
        let help = self
            .program("kvplan")
            .args(args)
            .arg("--help")
            .output()
            .unwrap();
        if !help.status.success() {
            return Err(told(&help));
        }
        let simulates = String::from_utf8_lossy(&help.stdout).contains("--max-work");
        // Cases of chaos are small, each for itself.
        let is_small = args[0] == "chaos";
        if !begin || !simulates || asks_help || is_small {
            return Ok(());
        }
        let mut command = self.program("kvplan");
        let held = command
            .args(args)
            .args(["--max-work", "1"])
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&held.stderr);
        let is_held = text.starts_with("error: --max-work: found work of") && is_let_through(&text);
        if is_held { Ok(()) } else { Err(told(&held)) }
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Runs and asks all that a document shows.
fn check(name: &str) {
    let mode = Mode::asked();
    let path = root().join(name);
    let text = fs::read_to_string(&path).unwrap();
    let place = Place::new();
    let mut wrong = String::new();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    // From the end of the document, so that the numbers of lines before stay.
    let mut changes = Vec::new();
    let commands = |text: &str| -> Vec<Vec<String>> {
        let all = inline(text).into_iter();
        all.flat_map(|code| of_kvplan(&code)).collect()
    };
    let rows = text.lines().filter(|line| line.starts_with('|'));
    let offered: Vec<Vec<String>> = rows.flat_map(commands).collect();
    for args in commands(&text) {
        // What a table offers is begun, where it needs nobody's files.
        let needs_files = args.iter().any(|a| a.contains('.'));
        let begin = offered.contains(&args) && !needs_files;
        if let Err(why) = place.accepts(&args, begin) {
            let _ = writeln!(wrong, "{name}: {why}");
        }
    }
    for block in blocks(name, &text) {
        let at = format!("{name}:{}", block.line);
        let is_run = block.is_run || block.output.is_some();
        if !is_run || block.is_shown || block.is_long && !mode.all {
            for args in of_kvplan(&block.commands) {
                if let Err(why) = place.accepts(&args, !block.is_shown) {
                    let _ = writeln!(wrong, "{at}: {why}");
                }
            }
            continue;
        }
        let begun = Instant::now();
        let (printed, code) = place.run(&block.commands);
        println!("{at}: {:.1} s", begun.elapsed().as_secs_f64());
        if code != Some(block.exit) {
            let _ = writeln!(
                wrong,
                "{at}: exit code {code:?}, expected {}: {printed}",
                block.exit
            );
            continue;
        }
        let Some(output) = block.output else { continue };
        let shown: Vec<&str> = text.lines().collect::<Vec<_>>()[output.clone()].to_vec();
        let printed: Vec<&str> = printed.lines().collect();
        if agrees(&shown, &printed) {
            continue;
        }
        if mode.bless {
            match renewed(&shown, &printed) {
                Ok(new) => changes.push((output, new)),
                Err(why) => {
                    let _ = writeln!(wrong, "{at}: {why}; it printed\n{}", printed.join("\n"));
                }
            }
            continue;
        }
        let differ = shown.iter().zip(&printed).position(|(a, b)| a != b);
        let first = differ.unwrap_or(shown.len().min(printed.len()));
        let _ = writeln!(
            wrong,
            "{at}: line {} of the output: shown\n{}\nprinted\n{}\nall that is printed\n{}\n",
            first + 1,
            shown.get(first).unwrap_or(&"(nothing)"),
            printed.get(first).unwrap_or(&"(nothing)"),
            printed.join("\n")
        );
    }
    for (place, new) in changes.into_iter().rev() {
        lines.splice(place, new);
    }
    let new = lines.join("\n") + "\n";
    if mode.bless && new != text {
        fs::write(&path, new).unwrap();
    }
    assert!(
        wrong.is_empty(),
        "KVPLAN_GUIDE=bless writes what is printed into the document\n{wrong}"
    );
}

/// A test of each document, so that they run side by side.
macro_rules! documents {
    ($($test:ident: $path:literal,)*) => {
        const DOCUMENTS: &[&str] = &[$($path),*];
        $(
            #[test]
            fn $test() {
                check($path);
            }
        )*
    };
}

documents! {
    readme: "README.md",
    claims: "src/guide/claims.md",
    columns: "src/guide/columns.md",
    confidence: "src/guide/confidence.md",
    cost: "src/guide/cost.md",
    failures: "src/guide/failures.md",
    fleet: "src/guide/fleet.md",
    long_runs: "src/guide/long_runs.md",
    own_data: "src/guide/own_data.md",
    policies: "src/guide/policies.md",
    reality: "src/guide/reality.md",
    review: "src/guide/review.md",
    stores: "src/guide/stores.md",
    traffic: "src/guide/traffic.md",
}

/// The chapters of the guide.
fn chapters() -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join("src/guide")).unwrap();
    let mut chapters: Vec<PathBuf> = entries.map(|e| e.unwrap().path()).collect();
    chapters.retain(|p| p.extension().is_some_and(|e| e == "md"));
    chapters.sort();
    chapters
}

#[test]
fn every_chapter_is_checked_and_in_the_table_of_contents() {
    let contents = fs::read_to_string(root().join("src/guide/mod.rs")).unwrap();
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    for chapter in chapters() {
        let file = chapter.file_name().unwrap().to_str().unwrap().to_owned();
        let path = format!("src/guide/{file}");
        assert!(DOCUMENTS.contains(&path.as_str()), "{path} has no test");
        let stem = file.trim_end_matches(".md");
        assert!(
            contents.contains(&format!("include_str!(\"{file}\")")),
            "{file}"
        );
        assert!(
            contents.contains(&format!("[`{stem}`]")),
            "{stem} is not in the contents"
        );
        assert!(readme.contains(&path), "the README does not name {path}");
    }
}

#[test]
fn the_readme_is_short_and_says_which_command_is_for_which_question() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let lines = readme.lines().count();
    assert!(lines <= MOST_LINES, "{lines} lines");
    let help = Place::new().run("kvplan --help").0;
    let commands = help.lines().skip_while(|l| *l != "Commands:").skip(1);
    let commands: Vec<&str> = commands
        .take_while(|l| !l.is_empty())
        .filter(|l| l.starts_with("  ") && !l.starts_with("   "))
        .filter_map(|l| l.split_whitespace().next())
        .filter(|name| *name != "help")
        .collect();
    assert!(commands.len() > 20, "{commands:?}");
    let named: BTreeSet<String> = readme
        .lines()
        .filter(|l| l.starts_with('|'))
        .flat_map(inline)
        .flat_map(|code| of_kvplan(&code))
        .filter_map(|args| args.first().cloned())
        .collect();
    for command in commands {
        assert!(named.contains(command), "no question for kvplan {command}");
    }
}

#[test]
fn the_readme_links_to_what_is_there() {
    for document in DOCUMENTS {
        let text = fs::read_to_string(root().join(document)).unwrap();
        for link in text.split("](").skip(1) {
            let link = link.split([')', '#']).next().unwrap();
            let is_path = !link.is_empty() && !link.contains(':');
            let folder = Path::new(document).parent().unwrap();
            let found = root().join(folder).join(link);
            assert!(!is_path || found.exists(), "{document}: {link}");
        }
    }
}

#[test]
fn blocks_are_found_with_their_marks_and_what_follows() {
    let text = "a\n\n```sh\nkvplan one\n```\n\n```text\n1\n2\n```\n\n<!-- long, exit 1 -->\n```sh\nkvplan two\n```\n\nb\n\n```text\n3\n```\n";
    let found = blocks("a.md", text);
    assert_eq!(found.len(), 2);
    assert_eq!((found[0].line, found[0].output.clone()), (4, Some(7..9)));
    assert_eq!(
        (found[1].is_long, found[1].exit, found[1].output.clone()),
        (true, 1, None)
    );
}

#[test]
fn a_line_of_dots_stands_for_any_lines() {
    let shown = ["a", "...", "d"];
    assert!(agrees(&shown, &["a", "b", "c", "d"]));
    assert!(agrees(&shown, &["a", "d"]));
    assert!(!agrees(&shown, &["a", "b", "d", "e"]));
    assert!(!agrees(&["a"], &["a", "b"]));
    assert!(!agrees(&["a 1"], &["a 2"]));
}

#[test]
fn what_was_left_out_is_left_out_again() {
    let printed = ["head", "a 5", "b 6", "c 7", "end"];
    let new = renewed(&["head", "...", "b 2", "..."], &printed).unwrap();
    assert_eq!(new, ["head", "...", "b 6", "..."]);
    assert!(renewed(&["...", "z 2"], &printed).is_err());
    assert_eq!(renewed(&["x"], &printed).unwrap(), printed);
}

#[test]
fn words_are_split_as_the_shell_does() {
    let script =
        "zcat a.gz | kvplan x 'a b' \"c\\\"d\" \\\n  e=\"5 s\" > f  # g\ncargo run --release -- y";
    assert_eq!(
        of_kvplan(script),
        [vec!["x", "a b", "c\"d", "e=5 s"], vec!["y"]]
    );
    assert_eq!(inline("a `kvplan\nx` b\n```sh\n`no`\n```\n"), ["kvplan x"]);
}
