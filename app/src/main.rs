//! The `onebit` binary.

fn main() -> std::process::ExitCode {
    onebit::cli::main()
}
