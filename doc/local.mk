# manual pages, and what each process may do
dist_man_MANS += %D%/qrexec-policy.5
EXTRA_DIST += %D%/privileges.md %D%/wire.md %D%/xen.md
