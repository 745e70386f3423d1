# The prompt: a program of the user's session. All but main and loop is a library, for its tests.
noinst_LTLIBRARIES += %D%/libprompt.la
%C%_libprompt_la_SOURCES = \
	%D%/agent.c %D%/agent.h %D%/request.c %D%/request.h %D%/screen.c %D%/screen.h \
	%D%/terminal.c %D%/terminal.h
%C%_libprompt_la_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
%C%_libprompt_la_LIBADD = libqrexec/libwire.la libqrexec/libbase.la $(JANSSON_LIBS)
bin_PROGRAMS += %D%/qrexec-policy-agent
%C%_qrexec_policy_agent_SOURCES = %D%/qrexec-policy-agent.c
%C%_qrexec_policy_agent_LDADD = %D%/libprompt.la libqrexec/libloop.la

PROMPT_UNIT_TESTS = tests/unit/policy-engine/prompt/request-test tests/unit/policy-engine/prompt/screen-test
check_PROGRAMS += $(PROMPT_UNIT_TESTS)
TESTS += $(PROMPT_UNIT_TESTS)
tests_unit_policy_engine_prompt_request_test_SOURCES = tests/unit/policy-engine/prompt/request-test.c tests/unit/test.h
tests_unit_policy_engine_prompt_request_test_LDADD = %D%/libprompt.la $(CMOCKA_LIBS)
tests_unit_policy_engine_prompt_screen_test_SOURCES = tests/unit/policy-engine/prompt/screen-test.c tests/unit/test.h
tests_unit_policy_engine_prompt_screen_test_LDADD = %D%/libprompt.la $(CMOCKA_LIBS)
