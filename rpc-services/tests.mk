# unit tests of the VM side
RPC_TESTS = tests/unit/rpc-services/filecopy-test tests/unit/rpc-services/openinvm-test \
	tests/unit/rpc-services/quote-test tests/unit/rpc-services/qvm-run-test tests/unit/rpc-services/receive-test \
	tests/unit/rpc-services/url-test tests/unit/rpc-services/vmexec-words-test
check_PROGRAMS += $(RPC_TESTS)
TESTS += $(RPC_TESTS)
tests_unit_rpc_services_filecopy_test_SOURCES = tests/unit/rpc-services/filecopy-test.c tests/unit/test.h
tests_unit_rpc_services_filecopy_test_LDADD = rpc-services/libfilecopy.la $(CMOCKA_LIBS)
tests_unit_rpc_services_openinvm_test_SOURCES = tests/unit/rpc-services/openinvm-test.c tests/unit/test.h
tests_unit_rpc_services_openinvm_test_LDADD = rpc-services/librpc.la $(CMOCKA_LIBS)
tests_unit_rpc_services_quote_test_SOURCES = tests/unit/rpc-services/quote-test.c tests/unit/test.h
tests_unit_rpc_services_quote_test_LDADD = rpc-services/librpc.la $(CMOCKA_LIBS)
tests_unit_rpc_services_qvm_run_test_SOURCES = tests/unit/rpc-services/qvm-run-test.c tests/unit/tool.h tests/unit/test.h
tests_unit_rpc_services_qvm_run_test_LDADD = libqrexec/libbase.la $(CMOCKA_LIBS)
tests_unit_rpc_services_receive_test_SOURCES = tests/unit/rpc-services/receive-test.c tests/unit/test.h
tests_unit_rpc_services_receive_test_LDADD = rpc-services/libfilecopy.la $(CMOCKA_LIBS)
tests_unit_rpc_services_receive_test_LDFLAGS = -Wl,--wrap=openat
tests_unit_rpc_services_url_test_SOURCES = tests/unit/rpc-services/url-test.c tests/unit/test.h
tests_unit_rpc_services_url_test_LDADD = rpc-services/librpc.la $(CMOCKA_LIBS)
tests_unit_rpc_services_vmexec_words_test_SOURCES = tests/unit/rpc-services/vmexec-words-test.c tests/unit/test.h
tests_unit_rpc_services_vmexec_words_test_LDADD = rpc-services/librpc.la $(CMOCKA_LIBS)
