# SPDX-License-Identifier: BSD-2-Clause
#
#   ringfence_add_boot_test(NAME LABEL abi|guest|system [TIMEOUT s] [PROCESSORS n] ARGS pvrun-args...)
#       boots a machine through tests/runner/pvrun.py; see its --help for the arguments. The wall-clock
#       watchdog is TIMEOUT (600 s), which is never what a verdict depends on.

function(ringfence_add_boot_test name)
	cmake_parse_arguments(PARSE_ARGV 1 ARG "" "LABEL;TIMEOUT;PROCESSORS" "ARGS")
	if(NOT ARG_TIMEOUT)
		set(ARG_TIMEOUT 600)
	endif()
	math(EXPR limit "${ARG_TIMEOUT} + 30")
	add_test(NAME ${ARG_LABEL}.${name}
		COMMAND Python3::Interpreter -B ${CMAKE_SOURCE_DIR}/tests/runner/pvrun.py
			--build ${CMAKE_BINARY_DIR} --wall ${ARG_TIMEOUT}
			--log ${CMAKE_BINARY_DIR}/logs/tests/${ARG_LABEL}.${name}.log
			${ARG_ARGS})
	set_tests_properties(${ARG_LABEL}.${name} PROPERTIES LABELS ${ARG_LABEL} TIMEOUT ${limit})
	if(ARG_PROCESSORS)
		set_tests_properties(${ARG_LABEL}.${name} PROPERTIES PROCESSORS ${ARG_PROCESSORS})
	endif()
endfunction()
