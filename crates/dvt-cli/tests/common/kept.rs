use std::process::{Child, Output};

/// A command that goes on until it is told, and is ended with the test that fails before that.
#[derive(Debug)]
pub(crate) struct Kept(Option<Child>);

impl Kept {
    pub(crate) fn new(child: Child) -> Self {
        Self(Some(child))
    }

    /// The command, while it runs.
    pub(crate) fn child(&mut self) -> &mut Child {
        self.0.as_mut().unwrap()
    }

    /// Tells it to end, as ctrl-c does.
    pub(crate) fn interrupt(&mut self) {
        let pid = self.child().id().to_string();
        let sent = std::process::Command::new("kill")
            .args(["-INT", &pid])
            .status();
        assert!(sent.unwrap().success());
    }

    /// What it gave, once it has ended by itself.
    pub(crate) fn output(mut self) -> Output {
        let child = self.0.take().unwrap();
        child.wait_with_output().unwrap()
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
