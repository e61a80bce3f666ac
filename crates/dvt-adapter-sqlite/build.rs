//! `sqlx::migrate!` reads a folder, and the compiler cannot know that it did.

fn main() {
    println!("cargo:rerun-if-changed=migrations");
}
