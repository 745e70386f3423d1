# The policy library stands alone; PCRE2 is all it needs.
noinst_LTLIBRARIES += %D%/lib/libpolicy.la
%C%_lib_libpolicy_la_SOURCES = \
	%D%/lib/advice.c %D%/lib/advice.h %D%/lib/advice-line.c %D%/lib/advice-names.c %D%/lib/advice-parts.h \
	%D%/lib/advice-reason.c %D%/lib/ask.c %D%/lib/common.c %D%/lib/common.h %D%/lib/decide.c %D%/lib/decide.h \
	%D%/lib/domain-view.c %D%/lib/domains.c %D%/lib/domains.h %D%/lib/explain.c %D%/lib/files.c %D%/lib/files.h \
	%D%/lib/findings.c %D%/lib/findings.h %D%/lib/lint.c %D%/lib/lint-network.c %D%/lib/lint.h \
	%D%/lib/index.c %D%/lib/index.h %D%/lib/pairs.c %D%/lib/pairs.h %D%/lib/lines.c %D%/lib/lines.h \
	%D%/lib/load.c %D%/lib/match.c %D%/lib/match.h %D%/lib/names.c %D%/lib/names.h %D%/lib/policy.c \
	%D%/lib/policy.h %D%/lib/regex.c %D%/lib/regex.h %D%/lib/rule-parse.c %D%/lib/rules.h \
	%D%/lib/token.c %D%/lib/token.h
# never files, and the analysis over classes of requests
%C%_lib_libpolicy_la_SOURCES += \
	%D%/lib/argument.c %D%/lib/argument.h %D%/lib/classes.c %D%/lib/classes.h %D%/lib/diff-align.c \
	%D%/lib/diff-today.c %D%/lib/diff-worlds.c %D%/lib/diff.c %D%/lib/diff.h %D%/lib/never-check.c %D%/lib/never.c \
	%D%/lib/never.h %D%/lib/reach-call.c %D%/lib/reach-confirm.c %D%/lib/reach-today.c %D%/lib/reach-worlds.c \
	%D%/lib/reach.c %D%/lib/reach.h %D%/lib/search-choices.c %D%/lib/search-today.c %D%/lib/search-worlds.c \
	%D%/lib/search.c %D%/lib/search.h %D%/lib/seen.c %D%/lib/seen.h %D%/lib/who-can.c %D%/lib/world.c %D%/lib/world.h
%C%_lib_libpolicy_la_CFLAGS = $(AM_CFLAGS) $(PCRE2_CFLAGS)
%C%_lib_libpolicy_la_LIBADD = $(PCRE2_LIBS)

# The same as a library for others: <qrexec/policy.h>, pkg-config qrexec-policy. Only what that header
# declares can be seen, in the static one too. -version-info: see libtool; raise it with each change.
lib_LTLIBRARIES += %D%/libqrexec-policy.la
%C%_libqrexec_policy_la_SOURCES =
%C%_libqrexec_policy_la_LIBADD = %D%/lib/libpolicy.la
%C%_libqrexec_policy_la_LDFLAGS = -version-info 0:0:0 -no-undefined \
	-Wl,--version-script=$(srcdir)/%D%/lib/libqrexec-policy.map
EXTRA_%C%_libqrexec_policy_la_DEPENDENCIES = %D%/lib/libqrexec-policy.map
EXTRA_DIST += %D%/lib/libqrexec-policy.map
policyincludedir = $(includedir)/qrexec
policyinclude_HEADERS = %D%/lib/policy.h
pkgconfigdir = $(libdir)/pkgconfig
pkgconfig_DATA = %D%/qrexec-policy.pc
policystaticdir = $(libdir)
policystatic_DATA = %D%/libqrexec-policy.a
CLEANFILES += %D%/libqrexec-policy.a %D%/policy-static.o
%D%/libqrexec-policy.a: %D%/lib/libpolicy.la
	$(AM_V_GEN)$(LD) -r -o %D%/policy-static.o --whole-archive %D%/lib/.libs/libpolicy.a && \
	$(OBJCOPY) -w -G 'policy_*' %D%/policy-static.o && \
	rm -f $@ && $(AR) cr $@ %D%/policy-static.o && $(RANLIB) $@

bin_PROGRAMS += %D%/qrexec-policy
%C%_qrexec_policy_SOURCES = \
	%D%/analysis-cli.c %D%/analysis-cli.h %D%/cmd-diff.c %D%/cmd-reach.c %D%/cmd-who-can.c \
	%D%/cmd-eval.c %D%/cmd-explain.c %D%/cmd-lint.c %D%/cmd-list.c %D%/domains-file.c %D%/domains-file.h \
	%D%/policy-cli.h %D%/qrexec-policy.c %D%/system-info.c %D%/system-info.h %D%/system-info-scan.c %D%/system-info-scan.h
%C%_qrexec_policy_SOURCES += %D%/cmd-kept.c %D%/cmd-log.c %D%/cmd-replay.c %D%/kept-verdict.c %D%/kept-verdict.h \
	%D%/log-read.c %D%/log-read.h
%C%_qrexec_policy_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
%C%_qrexec_policy_LDADD = %D%/libpolicyserver.la %D%/lib/libpolicy.la libqrexec/libbase.la $(JANSSON_LIBS)

noinst_LTLIBRARIES += %D%/libpolicyservice.la
%C%_libpolicyservice_la_SOURCES = \
	%D%/ask-user.c %D%/ask-user.h %D%/guivm-call.c %D%/guivm-call.h %D%/kept-answers.c %D%/kept-answers.h \
	%D%/policy-service.c %D%/policy-service.h %D%/system-info.c %D%/system-info.h %D%/system-info-scan.c %D%/system-info-scan.h
%C%_libpolicyservice_la_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
%C%_libpolicyservice_la_LIBADD = %D%/lib/libpolicy.la libqrexec/libwire.la libqrexec/libbase.la $(JANSSON_LIBS)
# the daemon, and what of it the commands and tests share
noinst_LTLIBRARIES += %D%/libpolicyserver.la
%C%_libpolicyserver_la_SOURCES = \
	%D%/decision-log.c %D%/decision-log.h %D%/decision-record.c %D%/decision-record.h \
	%D%/decision-spool.c %D%/decision-spool.h \
	%D%/eval-question.c %D%/eval-question.h %D%/notify-user.c %D%/notify-user.h \
	%D%/policy-account.c %D%/policy-decide.c %D%/policy-freshness.c %D%/policy-freshness.h \
	%D%/policy-request.h %D%/policy-server.c %D%/policy-server.h %D%/policy-watch.c %D%/policy-watch.h \
	%D%/refusals.c %D%/refusals.h %D%/shadow.c %D%/shadow.h
%C%_libpolicyserver_la_CFLAGS = $(AM_CFLAGS) $(NETTLE_CFLAGS)
%C%_libpolicyserver_la_LIBADD = %D%/libpolicyservice.la $(NETTLE_LIBS)
sbin_PROGRAMS += %D%/qrexec-policy-daemon
%C%_qrexec_policy_daemon_SOURCES = %D%/qrexec-policy-daemon.c
%C%_qrexec_policy_daemon_LDADD = %D%/libpolicyserver.la libqrexec/libloop.la
bin_PROGRAMS += %D%/qrexec-policy-exec
%C%_qrexec_policy_exec_SOURCES = %D%/qrexec-policy-exec.c %D%/decision-log.c %D%/decision-record.c
%C%_qrexec_policy_exec_CFLAGS = $(AM_CFLAGS) $(NETTLE_CFLAGS)
%C%_qrexec_policy_exec_LDFLAGS = $(POLICY_EXEC_LDFLAGS)
%C%_qrexec_policy_exec_LDADD = %D%/libpolicyservice.la libqrexec/libloop.la $(NETTLE_LIBS)

POLICY_FIXTURE = tests/unit/policy-engine/lib/fixture.h
POLICY_TESTS =
POLICY_TESTS_LDADD = %D%/lib/libpolicy.la libqrexec/libbase.la $(CMOCKA_LIBS)
POLICY_TESTS += tests/unit/policy-engine/lib/lines-test
tests_unit_policy_engine_lib_lines_test_SOURCES = tests/unit/policy-engine/lib/lines-test.c $(POLICY_FIXTURE)
tests_unit_policy_engine_lib_lines_test_LDADD = $(POLICY_TESTS_LDADD)
POLICY_TESTS += tests/unit/policy-engine/lib/load-test
tests_unit_policy_engine_lib_load_test_SOURCES = tests/unit/policy-engine/lib/load-test.c $(POLICY_FIXTURE)
tests_unit_policy_engine_lib_load_test_LDADD = $(POLICY_TESTS_LDADD)
POLICY_TESTS += tests/unit/policy-engine/lib/decide-test
tests_unit_policy_engine_lib_decide_test_SOURCES = tests/unit/policy-engine/lib/decide-test.c $(POLICY_FIXTURE)
tests_unit_policy_engine_lib_decide_test_LDADD = $(POLICY_TESTS_LDADD)
POLICY_TESTS += tests/unit/policy-engine/lib/ask-test
tests_unit_policy_engine_lib_ask_test_SOURCES = tests/unit/policy-engine/lib/ask-test.c $(POLICY_FIXTURE)
tests_unit_policy_engine_lib_ask_test_LDADD = $(POLICY_TESTS_LDADD)
POLICY_TESTS += tests/unit/policy-engine/lib/explain-test
tests_unit_policy_engine_lib_explain_test_SOURCES = tests/unit/policy-engine/lib/explain-test.c $(POLICY_FIXTURE)
tests_unit_policy_engine_lib_explain_test_LDADD = $(POLICY_TESTS_LDADD)
POLICY_TESTS += tests/unit/policy-engine/lib/advice-test
tests_unit_policy_engine_lib_advice_test_SOURCES = tests/unit/policy-engine/lib/advice-test.c $(POLICY_FIXTURE)
tests_unit_policy_engine_lib_advice_test_LDADD = $(POLICY_TESTS_LDADD)
POLICY_TESTS += tests/unit/policy-engine/lib/lint-test
tests_unit_policy_engine_lib_lint_test_SOURCES = tests/unit/policy-engine/lib/lint-test.c $(POLICY_FIXTURE)
tests_unit_policy_engine_lib_lint_test_LDADD = $(POLICY_TESTS_LDADD)
POLICY_TESTS += tests/unit/policy-engine/lib/index-test
tests_unit_policy_engine_lib_index_test_SOURCES = tests/unit/policy-engine/lib/index-test.c $(POLICY_FIXTURE)
tests_unit_policy_engine_lib_index_test_LDADD = $(POLICY_TESTS_LDADD)
POLICY_TESTS += tests/unit/policy-engine/lib/load-rules-test
tests_unit_policy_engine_lib_load_rules_test_SOURCES = tests/unit/policy-engine/lib/load-rules-test.c $(POLICY_FIXTURE)
tests_unit_policy_engine_lib_load_rules_test_LDADD = $(POLICY_TESTS_LDADD)
POLICY_TESTS += tests/unit/policy-engine/lib/memory-test
tests_unit_policy_engine_lib_memory_test_SOURCES = tests/unit/policy-engine/lib/memory-test.c tests/unit/allocations.h $(POLICY_FIXTURE)
tests_unit_policy_engine_lib_memory_test_LDADD = $(POLICY_TESTS_LDADD)
tests_unit_policy_engine_lib_memory_test_LDFLAGS = -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc
POLICY_TESTS += tests/unit/policy-engine/lib/never-test
tests_unit_policy_engine_lib_never_test_SOURCES = tests/unit/policy-engine/lib/never-test.c $(POLICY_FIXTURE)
tests_unit_policy_engine_lib_never_test_LDADD = $(POLICY_TESTS_LDADD)
POLICY_RANDOM = $(POLICY_FIXTURE) tests/unit/policy-engine/lib/small-worlds.h
POLICY_TESTS += tests/unit/policy-engine/lib/who-can-random-test
tests_unit_policy_engine_lib_who_can_random_test_SOURCES = tests/unit/policy-engine/lib/who-can-random-test.c $(POLICY_RANDOM)
tests_unit_policy_engine_lib_who_can_random_test_LDADD = $(POLICY_TESTS_LDADD)
POLICY_TESTS += tests/unit/policy-engine/lib/reach-random-test
tests_unit_policy_engine_lib_reach_random_test_SOURCES = tests/unit/policy-engine/lib/reach-random-test.c $(POLICY_RANDOM)
tests_unit_policy_engine_lib_reach_random_test_LDADD = $(POLICY_TESTS_LDADD)
POLICY_TESTS += tests/unit/policy-engine/lib/diff-random-test
tests_unit_policy_engine_lib_diff_random_test_SOURCES = tests/unit/policy-engine/lib/diff-random-test.c $(POLICY_RANDOM)
tests_unit_policy_engine_lib_diff_random_test_LDADD = $(POLICY_TESTS_LDADD)
POLICY_TESTS += tests/unit/policy-engine/lib/analysis-test
tests_unit_policy_engine_lib_analysis_test_SOURCES = tests/unit/policy-engine/lib/analysis-test.c $(POLICY_FIXTURE)
tests_unit_policy_engine_lib_analysis_test_LDADD = $(POLICY_TESTS_LDADD)
POLICY_TESTS += tests/unit/policy-engine/lib/analysis-memory-test
tests_unit_policy_engine_lib_analysis_memory_test_SOURCES = tests/unit/policy-engine/lib/analysis-memory-test.c tests/unit/allocations.h $(POLICY_FIXTURE)
tests_unit_policy_engine_lib_analysis_memory_test_LDADD = $(POLICY_TESTS_LDADD)
tests_unit_policy_engine_lib_analysis_memory_test_LDFLAGS = -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc
check_PROGRAMS += $(POLICY_TESTS)
TESTS += tests/unit/policy-engine/analysis-cli-test
dist_check_SCRIPTS += tests/unit/policy-engine/analysis-cli-test

# the analysis against brute force, for long: about an hour
check-analysis: tests/unit/policy-engine/lib/who-can-random-test tests/unit/policy-engine/lib/reach-random-test \
		tests/unit/policy-engine/lib/diff-random-test
	@for t in $^; do RANDOM_POLICIES=$${RANDOM_POLICIES:-100000} ./$$t || exit 1; done
.PHONY: check-analysis
TESTS += $(POLICY_TESTS)
dist_check_SCRIPTS += tests/unit/policy-engine/lib/installed-test
TESTS += tests/unit/policy-engine/lib/installed-test

check_PROGRAMS += tests/unit/policy-engine/domains-test
TESTS += tests/unit/policy-engine/domains-test tests/unit/policy-engine/qrexec-policy-test
dist_check_SCRIPTS += tests/unit/policy-engine/qrexec-policy-test
tests_unit_policy_engine_domains_test_SOURCES = tests/unit/policy-engine/domains-test.c \
	%D%/domains-file.c %D%/domains-file.h %D%/system-info.c %D%/system-info.h %D%/system-info-scan.c %D%/system-info-scan.h
tests_unit_policy_engine_domains_test_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
tests_unit_policy_engine_domains_test_LDADD = $(POLICY_TESTS_LDADD) $(JANSSON_LIBS)

include policy-engine/prompt/local.mk
include policy-engine/tools.mk

POLICY_STAGE = tests/talk/policy-stage.c tests/talk/policy-stage.h $(DAEMON_STAGE)
POLICY_TALK_TESTS = tests/talk/policy-answers-test tests/talk/policy-ask-test
POLICY_TALK_TESTS += tests/talk/policy-life-test tests/talk/policy-reload-test tests/talk/policy-limits-test
tests_talk_policy_limits_test_SOURCES = tests/talk/policy-limits-test.c $(POLICY_STAGE)
tests_talk_policy_limits_test_LDADD = libqrexec/libbase.la $(CMOCKA_LIBS)
tests_talk_policy_reload_test_SOURCES = tests/talk/policy-reload-test.c $(POLICY_STAGE)
tests_talk_policy_reload_test_LDADD = libqrexec/libbase.la $(CMOCKA_LIBS)
tests_talk_policy_life_test_SOURCES = tests/talk/policy-life-test.c $(POLICY_STAGE)
tests_talk_policy_life_test_LDADD = libqrexec/libbase.la $(CMOCKA_LIBS)
check_PROGRAMS += $(POLICY_TALK_TESTS)
TESTS += $(POLICY_TALK_TESTS)
tests_talk_policy_answers_test_SOURCES = tests/talk/policy-answers-test.c $(POLICY_STAGE)
tests_talk_policy_answers_test_LDADD = libqrexec/libbase.la $(CMOCKA_LIBS)
tests_talk_policy_ask_test_SOURCES = tests/talk/policy-ask-test.c $(POLICY_STAGE)
tests_talk_policy_ask_test_LDADD = libqrexec/libbase.la $(CMOCKA_LIBS)

POLICY_SERVICE_TESTS = tests/unit/policy-engine/ask-user-test tests/unit/policy-engine/policy-service-test
check_PROGRAMS += $(POLICY_SERVICE_TESTS)
TESTS += $(POLICY_SERVICE_TESTS)
tests_unit_policy_engine_ask_user_test_SOURCES = tests/unit/policy-engine/ask-user-test.c tests/unit/test.h
tests_unit_policy_engine_ask_user_test_LDADD = %D%/libpolicyservice.la policy-engine/prompt/libprompt.la $(CMOCKA_LIBS)
tests_unit_policy_engine_policy_service_test_SOURCES = tests/unit/policy-engine/policy-service-test.c tests/unit/test.h
tests_unit_policy_engine_policy_service_test_LDADD = %D%/libpolicyservice.la $(CMOCKA_LIBS)

POLICY_SERVER_TESTS = tests/unit/policy-engine/refusals-test tests/unit/policy-engine/eval-question-test tests/unit/policy-engine/kept-answers-test tests/unit/policy-engine/decision-log-test tests/unit/policy-engine/shadow-test \
	tests/unit/policy-engine/notify-user-test tests/unit/policy-engine/decision-log-trouble-test
check_PROGRAMS += $(POLICY_SERVER_TESTS)
TESTS += $(POLICY_SERVER_TESTS)
tests_unit_policy_engine_refusals_test_SOURCES = tests/unit/policy-engine/refusals-test.c tests/unit/test.h
tests_unit_policy_engine_refusals_test_LDADD = %D%/libpolicyserver.la $(CMOCKA_LIBS)
tests_unit_policy_engine_eval_question_test_SOURCES = tests/unit/policy-engine/eval-question-test.c tests/unit/test.h
tests_unit_policy_engine_eval_question_test_LDADD = %D%/libpolicyserver.la $(CMOCKA_LIBS)
tests_unit_policy_engine_kept_answers_test_SOURCES = tests/unit/policy-engine/kept-answers-test.c tests/unit/test.h
tests_unit_policy_engine_kept_answers_test_LDADD = %D%/libpolicyserver.la $(CMOCKA_LIBS)
tests_unit_policy_engine_decision_log_test_SOURCES = tests/unit/policy-engine/decision-log-test.c tests/unit/test.h %D%/log-read.c %D%/log-read.h
tests_unit_policy_engine_decision_log_test_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
tests_unit_policy_engine_decision_log_test_LDADD = %D%/libpolicyserver.la $(CMOCKA_LIBS)
tests_unit_policy_engine_shadow_test_SOURCES = tests/unit/policy-engine/shadow-test.c tests/unit/test.h
tests_unit_policy_engine_shadow_test_LDADD = %D%/libpolicyserver.la $(CMOCKA_LIBS)
tests_unit_policy_engine_notify_user_test_SOURCES = tests/unit/policy-engine/notify-user-test.c tests/unit/allocations.h tests/unit/test.h
tests_unit_policy_engine_notify_user_test_LDADD = %D%/libpolicyserver.la libqrexec/libloop.la $(CMOCKA_LIBS)
tests_unit_policy_engine_notify_user_test_LDFLAGS = -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=strdup \
	-Wl,--wrap=clock_ms,--wrap=timer_set
tests_unit_policy_engine_decision_log_trouble_test_SOURCES = tests/unit/policy-engine/decision-log-trouble-test.c tests/unit/test.h %D%/log-read.c %D%/log-read.h
tests_unit_policy_engine_decision_log_trouble_test_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
tests_unit_policy_engine_decision_log_trouble_test_LDADD = %D%/libpolicyserver.la $(CMOCKA_LIBS)
