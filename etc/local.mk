# Shipped configuration. A file that an administrator changed stays as it is.
dist_systemdsystemunit_DATA += %D%/systemd/domain-spawner.service %D%/systemd/qrexec-policy-daemon.service
dist_vmunit_DATA += %D%/systemd/qrexec-agent.service
# for mkinitramfs -d: see doc/xen.md
VM_INITRAMFS = initramfs.conf modules hooks/qrexec-cow scripts/local-bottom/qrexec-cow
EXTRA_DIST += %D%/vm-initramfs/initramfs.conf %D%/vm-initramfs/modules \
	%D%/vm-initramfs/hooks/qrexec-cow %D%/vm-initramfs/scripts/local-bottom/qrexec-cow
POLICY_FILES = 35-compat.policy 90-default.policy 90-admin-policy-default.policy README \
	include/admin-policy-ro include/admin-policy-rwx
VM_XEN_FILES = %D%/udev/99-qubes-xen.rules %D%/modules-load.d/qubes-xen.conf %D%/modprobe.d/qubes-xen.conf
EXTRA_DIST += %D%/pam.d/qrexec $(VM_XEN_FILES) \
	%D%/policy.d/35-compat.policy %D%/policy.d/90-default.policy %D%/policy.d/90-admin-policy-default.policy \
	%D%/policy.d/README %D%/policy.d/include/admin-policy-ro %D%/policy.d/include/admin-policy-rwx

etc-files:
	$(MKDIR_P) $(DESTDIR)$(sysconfdir)/qubes/policy.d/include $(DESTDIR)$(sysconfdir)/qubes-rpc/policy
	for f in $(POLICY_FILES); do \
		to=$(DESTDIR)$(sysconfdir)/qubes/policy.d/$$f; \
		test -e $$to || $(INSTALL_DATA) $(top_srcdir)/etc/policy.d/$$f $$to || exit 1; \
	done
	for s in Ask Notify; do \
		ln -sfn ../../run/qubes/policy-agent.sock $(DESTDIR)$(sysconfdir)/qubes-rpc/policy.$$s || exit 1; \
	done
	for f in $(VM_INITRAMFS); do \
		to="$(DESTDIR)$(datadir)/qubes/vm-initramfs/$$f"; \
		$(MKDIR_P) "$${to%/*}" && cp -p "$(top_srcdir)/etc/vm-initramfs/$$f" "$$to" || exit 1; \
	done
etc-remove:
	rm -rf "$(DESTDIR)$(datadir)/qubes/vm-initramfs"
	rmdir "$(DESTDIR)$(datadir)/qubes" 2>/dev/null || :
	for f in $(POLICY_FILES); do \
		cmp -s $(top_srcdir)/etc/policy.d/$$f $(DESTDIR)$(sysconfdir)/qubes/policy.d/$$f && \
			rm -f $(DESTDIR)$(sysconfdir)/qubes/policy.d/$$f; \
	done; \
	cd $(DESTDIR)$(sysconfdir)/qubes-rpc && rm -f policy.Ask policy.Notify; \
	rmdir $(DESTDIR)$(sysconfdir)/qubes/policy.d/include $(DESTDIR)$(sysconfdir)/qubes/policy.d \
		$(DESTDIR)$(sysconfdir)/qubes $(DESTDIR)$(sysconfdir)/qubes-rpc/policy $(DESTDIR)$(sysconfdir)/qubes-rpc 2>/dev/null; :
.PHONY: etc-files etc-remove
INSTALL_HOOKS += etc-files
UNINSTALL_HOOKS += etc-remove

# A Xen VM: devices for group qubes, modules, their limits. Beside the VM side's programs in a tree
# of its own, at their places with install-vm.
vmsystemdir = $(vmroot)/lib
install-vm-xen:
	for f in $(VM_XEN_FILES); do \
		case $$f in */udev/*) to=udev/rules.d ;; */modprobe.d/*) to=modprobe.d ;; *) to=modules-load.d ;; esac; \
		$(MKDIR_P) "$(DESTDIR)$(vmsystemdir)/$$to" && \
		$(INSTALL_DATA) "$(top_srcdir)/$$f" "$(DESTDIR)$(vmsystemdir)/$$to" || exit 1; \
	done
uninstall-vm-xen:
	rm -f '$(DESTDIR)$(vmsystemdir)/udev/rules.d/99-qubes-xen.rules' \
		'$(DESTDIR)$(vmsystemdir)/modprobe.d/qubes-xen.conf' \
		'$(DESTDIR)$(vmsystemdir)/modules-load.d/qubes-xen.conf'
	cd '$(DESTDIR)$(vmsystemdir)' && rmdir udev/rules.d udev modprobe.d modules-load.d 2>/dev/null; :
.PHONY: install-vm-xen uninstall-vm-xen
INSTALL_HOOKS += install-vm-xen
UNINSTALL_HOOKS += uninstall-vm-xen
install-vm-links: install-vm-xen
