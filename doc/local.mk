# manual pages, and what each process may do
dist_man_MANS += %D%/qrexec-policy.5
dist_man_MANS += %D%/qubes-policy.1 %D%/qubes-policy-editor.1
EXTRA_DIST += %D%/privileges.md %D%/wire.md %D%/xen.md
