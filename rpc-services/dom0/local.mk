# dom0: policy files through policy.*, and the commands that use these
noinst_LTLIBRARIES += %D%/libpolicyadmin.la
%C%_libpolicyadmin_la_SOURCES = \
	%D%/admin-log.c %D%/admin-log.h %D%/entry.c %D%/entry.h %D%/policy-admin.c %D%/policy-admin.h \
	%D%/policy-check.c %D%/policy-check.h %D%/policy-client.c %D%/policy-client.h \
	%D%/policy-edit.c %D%/policy-edit.h %D%/policy-store.c %D%/policy-store.h \
	%D%/register-argument.c %D%/register-argument.h %D%/token.c %D%/token.h
%C%_libpolicyadmin_la_CFLAGS = $(AM_CFLAGS) $(GIO_CFLAGS)
%C%_libpolicyadmin_la_LIBADD = rpc-services/librpc.la policy-engine/lib/libpolicy.la libqrexec/libbase.la $(GIO_LIBS)

qubeslib_PROGRAMS += %D%/qubes-policy-admin %D%/qubes-policy-register-argument
%C%_qubes_policy_admin_SOURCES = %D%/policy-admin-main.c
%C%_qubes_policy_admin_LDADD = %D%/libpolicyadmin.la
%C%_qubes_policy_register_argument_SOURCES = %D%/register-main.c
%C%_qubes_policy_register_argument_LDADD = %D%/libpolicyadmin.la
bin_PROGRAMS += %D%/qubes-policy %D%/qubes-policy-editor
%C%_qubes_policy_SOURCES = %D%/qubes-policy.c
%C%_qubes_policy_LDADD = %D%/libpolicyadmin.la
%C%_qubes_policy_editor_SOURCES = %D%/qubes-policy-editor.c
%C%_qubes_policy_editor_LDADD = %D%/libpolicyadmin.la

# a service is a link of its name to the program, which reads that name
POLICY_SERVICES = policy.List policy.Get policy.Replace policy.Remove policy.GetFiles \
	policy.include.List policy.include.Get policy.include.Replace policy.include.Remove
policy-admin-links:
	$(MKDIR_P) '$(DESTDIR)$(sysconfdir)/qubes-rpc'
	for s in $(POLICY_SERVICES); do \
		ln -sfr '$(DESTDIR)$(qubeslibdir)/qubes-policy-admin' '$(DESTDIR)$(sysconfdir)/qubes-rpc/'$$s || exit 1; \
	done
	ln -sfr '$(DESTDIR)$(qubeslibdir)/qubes-policy-register-argument' \
		'$(DESTDIR)$(sysconfdir)/qubes-rpc/policy.RegisterArgument'
policy-admin-unlink:
	cd '$(DESTDIR)$(sysconfdir)/qubes-rpc' && rm -f $(POLICY_SERVICES) policy.RegisterArgument
.PHONY: policy-admin-links policy-admin-unlink
INSTALL_HOOKS += policy-admin-links
UNINSTALL_HOOKS += policy-admin-unlink

POLICY_ADMIN_FIXTURE = tests/unit/rpc-services/dom0/fixture.h tests/unit/test.h
POLICY_ADMIN_TESTS = tests/unit/rpc-services/dom0/entry-test tests/unit/rpc-services/dom0/policy-admin-test \
	tests/unit/rpc-services/dom0/policy-check-test tests/unit/rpc-services/dom0/register-argument-test \
	tests/unit/rpc-services/dom0/token-test
POLICY_ADMIN_TESTS_LDADD = %D%/libpolicyadmin.la $(CMOCKA_LIBS)
check_PROGRAMS += $(POLICY_ADMIN_TESTS)
TESTS += $(POLICY_ADMIN_TESTS)
tests_unit_rpc_services_dom0_entry_test_SOURCES = tests/unit/rpc-services/dom0/entry-test.c $(POLICY_ADMIN_FIXTURE)
tests_unit_rpc_services_dom0_entry_test_LDADD = $(POLICY_ADMIN_TESTS_LDADD)
tests_unit_rpc_services_dom0_policy_admin_test_SOURCES = \
	tests/unit/rpc-services/dom0/policy-admin-test.c $(POLICY_ADMIN_FIXTURE)
tests_unit_rpc_services_dom0_policy_admin_test_LDADD = $(POLICY_ADMIN_TESTS_LDADD)
tests_unit_rpc_services_dom0_policy_check_test_SOURCES = \
	tests/unit/rpc-services/dom0/policy-check-test.c $(POLICY_ADMIN_FIXTURE)
tests_unit_rpc_services_dom0_policy_check_test_LDADD = $(POLICY_ADMIN_TESTS_LDADD)
tests_unit_rpc_services_dom0_register_argument_test_SOURCES = \
	tests/unit/rpc-services/dom0/register-argument-test.c $(POLICY_ADMIN_FIXTURE)
tests_unit_rpc_services_dom0_register_argument_test_LDADD = $(POLICY_ADMIN_TESTS_LDADD)
tests_unit_rpc_services_dom0_token_test_SOURCES = tests/unit/rpc-services/dom0/token-test.c tests/unit/test.h
tests_unit_rpc_services_dom0_token_test_LDADD = $(POLICY_ADMIN_TESTS_LDADD)
dist_check_SCRIPTS += tests/integration/policy-admin.sh tests/integration/policy-call.sh tests/integration/policy-editor.sh
TESTS += tests/integration/policy-admin.sh tests/integration/policy-call.sh tests/integration/policy-editor.sh
