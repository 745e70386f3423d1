# qrexec-agent
