# The VM side: base, GLib where an application is launched, zlib for its CRC, PCRE2 for URLs
noinst_LTLIBRARIES += %D%/librpc.la %D%/liblaunch.la
%C%_librpc_la_SOURCES = \
	%D%/call.c %D%/call.h %D%/child.c %D%/child.h %D%/openinvm.c %D%/openinvm.h %D%/quote.c %D%/quote.h \
	%D%/url.c %D%/url.h %D%/vmexec-words.c %D%/vmexec-words.h
%C%_librpc_la_CFLAGS = $(AM_CFLAGS) $(PCRE2_CFLAGS)
%C%_librpc_la_LIBADD = libqrexec/libbase.la $(PCRE2_LIBS)
%C%_liblaunch_la_SOURCES = %D%/launch.c %D%/launch.h
%C%_liblaunch_la_CFLAGS = $(AM_CFLAGS) $(GIO_CFLAGS)
%C%_liblaunch_la_LIBADD = $(GIO_LIBS)

# a program has the name of its service, so its objects need one of their own
vmservices_PROGRAMS += %D%/services/qubes.OpenURL %D%/services/qubes.OpenInVM %D%/services/qubes.StartApp \
	%D%/services/qubes.VMExec
%C%_services_qubes_OpenURL_SOURCES = %D%/services/open-url.c
%C%_services_qubes_OpenURL_LDADD = %D%/librpc.la
%C%_services_qubes_OpenInVM_SOURCES = %D%/services/open-in-vm.c
%C%_services_qubes_OpenInVM_LDADD = %D%/librpc.la
%C%_services_qubes_StartApp_SOURCES = %D%/services/start-app.c
%C%_services_qubes_StartApp_CFLAGS = $(AM_CFLAGS) $(GIO_CFLAGS)
%C%_services_qubes_StartApp_LDADD = %D%/liblaunch.la %D%/librpc.la
%C%_services_qubes_VMExec_SOURCES = %D%/services/vm-exec.c
%C%_services_qubes_VMExec_LDADD = %D%/librpc.la
dist_vmservices_SCRIPTS += %D%/services/qubes.VMShell %D%/services/qubes.GetDate \
	%D%/services/qubes.WaitForSession %D%/services/qubes.WaitForRunningSystem
dist_vmconfig_DATA += %D%/config/qubes.OpenURL %D%/config/qubes.OpenInVM %D%/config/qubes.StartApp \
	%D%/config/qubes.VMShell+WaitForSession %D%/config/qubes.VMExecGUI %D%/config/qubes.VMRootShell \
	%D%/config/qubes.VMRootExec %D%/config/qubes.ConnectTCP

vmbin_PROGRAMS += %D%/commands/qvm-open-in-vm %D%/commands/qvm-run-vm %D%/commands/qubes-open
%C%_commands_qvm_open_in_vm_SOURCES = %D%/commands/qvm-open-in-vm.c
%C%_commands_qvm_open_in_vm_LDADD = %D%/librpc.la
%C%_commands_qvm_run_vm_SOURCES = %D%/commands/qvm-run.c
%C%_commands_qvm_run_vm_LDADD = %D%/librpc.la
%C%_commands_qubes_open_SOURCES = %D%/commands/qubes-open.c
%C%_commands_qubes_open_CFLAGS = $(AM_CFLAGS) $(GIO_CFLAGS)
%C%_commands_qubes_open_LDADD = %D%/liblaunch.la %D%/librpc.la

# further names of the same programs
rpc-links:
	$(MKDIR_P) $(DESTDIR)$(vmbindir) $(DESTDIR)$(vmservicesdir)
	cd $(DESTDIR)$(vmbindir) && ln -sf qvm-open-in-vm qvm-open-in-dvm && ln -sf qvm-run-vm qvm-run && \
		for c in qvm-move qvm-copy-to-vm qvm-move-to-vm; do ln -sf qvm-copy $$c; done
	cd $(DESTDIR)$(vmservicesdir) && for s in VMExecGUI VMRootExec; do ln -sf qubes.VMExec qubes.$$s; done && \
		ln -sf qubes.VMShell qubes.VMRootShell && ln -sfn /dev/tcp/127.0.0.1 qubes.ConnectTCP
rpc-unlink:
	cd $(DESTDIR)$(vmbindir) && rm -f qvm-open-in-dvm qvm-run qvm-move qvm-copy-to-vm qvm-move-to-vm
	cd $(DESTDIR)$(vmservicesdir) && rm -f qubes.VMExecGUI qubes.VMRootExec qubes.VMRootShell qubes.ConnectTCP
.PHONY: rpc-links rpc-unlink
INSTALL_HOOKS += rpc-links
UNINSTALL_HOOKS += rpc-unlink
install-vm-links: rpc-links

noinst_LTLIBRARIES += %D%/libfilecopy.la %D%/libcopy.la
%C%_libfilecopy_la_SOURCES = %D%/filecopy.c %D%/filecopy.h %D%/receive.c %D%/receive.h
%C%_libfilecopy_la_CFLAGS = $(AM_CFLAGS) $(GIO_CFLAGS) $(ZLIB_CFLAGS)
%C%_libfilecopy_la_LIBADD = libqrexec/libbase.la $(GIO_LIBS) $(ZLIB_LIBS)
%C%_libcopy_la_SOURCES = %D%/copy-command.c %D%/copy-command.h %D%/copy-record.c %D%/copy-record.h \
	%D%/copy-send.c %D%/copy-send.h %D%/copy-walk.c %D%/copy-walk.h
%C%_libcopy_la_LIBADD = %D%/libfilecopy.la
vmservices_PROGRAMS += %D%/services/qubes.Filecopy
%C%_services_qubes_Filecopy_SOURCES = %D%/services/filecopy.c
%C%_services_qubes_Filecopy_LDADD = %D%/libfilecopy.la
vmbin_PROGRAMS += %D%/commands/qvm-copy
%C%_commands_qvm_copy_SOURCES = %D%/commands/qvm-copy.c
%C%_commands_qvm_copy_LDADD = %D%/libcopy.la %D%/librpc.la
vmlib_PROGRAMS += %D%/commands/qfile-agent
%C%_commands_qfile_agent_SOURCES = %D%/commands/qfile-agent.c
%C%_commands_qfile_agent_LDADD = %D%/libcopy.la %D%/librpc.la
bin_PROGRAMS += %D%/dom0/qvm-copy-to-vm
%C%_dom0_qvm_copy_to_vm_SOURCES = %D%/dom0/qvm-copy-to-vm.c
%C%_dom0_qvm_copy_to_vm_LDADD = %D%/libcopy.la

# in dom0
copy-links:
	$(MKDIR_P) $(DESTDIR)$(bindir)
	cd $(DESTDIR)$(bindir) && for c in qvm-copy qvm-move qvm-move-to-vm; do ln -sf qvm-copy-to-vm $$c; done
copy-unlink:
	cd $(DESTDIR)$(bindir) && rm -f qvm-copy qvm-move qvm-move-to-vm
.PHONY: copy-links copy-unlink
INSTALL_HOOKS += copy-links
UNINSTALL_HOOKS += copy-unlink
include rpc-services/dom0/local.mk
include rpc-services/tests.mk
