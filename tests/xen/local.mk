# Real Xen in an emulated machine: programs for it, and the targets. Not among TESTS: it needs
# QEMU and packages of its own; .ci/run calls it.
check_PROGRAMS += %D%/programs/elf-trim
%C%_programs_elf_trim_SOURCES = %D%/programs/elf-trim.c
%C%_programs_elf_trim_LDADD = libqrexec/libbase.la
check_PROGRAMS += %D%/programs/socket-service
%C%_programs_socket_service_SOURCES = %D%/programs/socket-service.c
%C%_programs_socket_service_LDADD = libqrexec/libbase.la
XEN_FILES = %D%/packages %D%/images %D%/machine %D%/vm-init %D%/vm-root-init %D%/dom0-init %D%/steps \
	%D%/main.scenario %D%/bench.scenario
EXTRA_DIST += $(XEN_FILES)

if HAVE_XEN
check_PROGRAMS += %D%/programs/vchan-peer
%C%_programs_vchan_peer_SOURCES = %D%/programs/vchan-peer.c
%C%_programs_vchan_peer_LDADD = libqrexec/librelay.la $(XENVCHAN_LIBS)

XEN_LAB = %D%/programs/elf-trim %D%/programs/socket-service %D%/programs/vchan-peer
check-xen: all $(XEN_LAB)
	$(SHELL) $(top_srcdir)/tests/xen/machine $(abs_top_builddir) main
bench-xen: all $(XEN_LAB)
	$(SHELL) $(top_srcdir)/tests/xen/machine $(abs_top_builddir) bench

endif
.PHONY: check-xen bench-xen
