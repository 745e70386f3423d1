# manual pages, and what each process may do
dist_man_MANS += %D%/policy.d.5
dist_man_MANS += %D%/qubes-policy.1 %D%/qubes-policy-editor.1
dist_man_MANS += %D%/qrexec-legacy-convert.1 %D%/qrexec-policy.1 %D%/qrexec-policy-graph.1 %D%/qubes-policy-lint.1
dist_man_MANS += %D%/qrexec-policy-agent.1
dist_man_MANS += %D%/qrexec-policy-daemon.8 %D%/qrexec-policy-exec.8 %D%/qrexec-policy-log.7
dist_man_MANS += %D%/qrexec-policy-analysis.7
dist_man_MANS += %D%/qrexec-calls.8
dist_man_MANS += %D%/qrexec-agent.8 %D%/qrexec-client.1 %D%/qrexec-client-vm.1 %D%/qrexec-daemon.8 %D%/qrexec-service.5
VM_PAGES = %D%/qrexec-agent.8 %D%/qrexec-client-vm.1 %D%/qrexec-service.5
install-vm-links: install-vm-pages
install-vm-pages:
	for f in $(VM_PAGES); do d='$(DESTDIR)$(mandir)'/man$${f##*.}; \
		$(MKDIR_P) "$$d" && $(INSTALL_DATA) "$(srcdir)/$$f" "$$d" || exit 1; done
.PHONY: install-vm-pages
EXTRA_DIST += %D%/privileges.md %D%/wire.md %D%/xen.md
# a program that embeds the policy library; tests/unit/policy-engine/lib/installed-test builds and runs it
EXTRA_DIST += %D%/embed-example.c
