//! stand-in
#[derive(clap::Args)]
pub struct Mkfs {}
impl Mkfs {
    pub fn run(&self) -> anyhow::Result<()> {
        Ok(())
    }
}
