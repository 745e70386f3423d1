# qrexec-daemon
