//! The program: arguments to commands, and nothing else.

fn main() -> std::process::ExitCode {
    embudo::cli::run()
}
