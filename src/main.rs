//! The program: arguments to commands, and nothing else.

/// Smaller and quicker than the system's under many threads.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    embudo::cli::run()
}
