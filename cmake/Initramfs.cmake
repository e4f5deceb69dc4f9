# SPDX-License-Identifier: BSD-2-Clause
#
# Initial RAM file systems of Linux guests.
#
#   ringfence_add_initramfs(NAME [BUSYBOX] [TAR file] [TREES dir...] [FILES /path=file...]
#                           [DEPENDS target...])
#       <build>/images/NAME.cpio; target: NAME_initramfs. Later trees win over earlier ones. With TAR, a
#       whole root file system, it is <build>/images/NAME.cpio.gz.
#   ringfence_add_debian_tar(NAME)
#       <build>/images/NAME.tar: Debian 12 minbase out of the archive this machine's apt uses. Made
#       once: remove it to take up what the archive has changed since.
#   ringfence_add_static_program(NAME source... [LIBS l...])
#       a static Linux program for such an archive, linked with the host's libc.

set(INITRAMFS_TOOL ${CMAKE_SOURCE_DIR}/tools/mkinitramfs.py)
set(BUSYBOX_PROGRAM /bin/busybox CACHE FILEPATH "Static busybox for the guests")

function(ringfence_add_initramfs name)
	cmake_parse_arguments(PARSE_ARGV 1 ARG "BUSYBOX" "TAR" "TREES;FILES;DEPENDS")
	set(file ${name}.cpio)
	set(arguments)
	set(inputs ${INITRAMFS_TOOL})
	if(ARG_TAR)
		set(file ${name}.cpio.gz)
		list(APPEND arguments --tar ${ARG_TAR})
		list(APPEND inputs ${ARG_TAR})
	endif()
	set(out ${CMAKE_BINARY_DIR}/images/${file})
	if(ARG_BUSYBOX)
		list(APPEND arguments --busybox ${BUSYBOX_PROGRAM})
		list(APPEND inputs ${BUSYBOX_PROGRAM})
	endif()
	foreach(tree ${ARG_TREES})
		file(GLOB_RECURSE found CONFIGURE_DEPENDS ${tree}/*)
		list(APPEND arguments --tree ${tree})
		list(APPEND inputs ${found})
	endforeach()
	foreach(item ${ARG_FILES})
		list(APPEND arguments --file ${item})
	endforeach()
	add_custom_command(OUTPUT ${out}
		COMMAND ${CMAKE_COMMAND} -E make_directory ${CMAKE_BINARY_DIR}/images
		COMMAND Python3::Interpreter -B ${INITRAMFS_TOOL} --out ${out} ${arguments}
		DEPENDS ${inputs} ${ARG_DEPENDS}
		COMMENT "Packing ${file}"
		VERBATIM)
	add_custom_target(${name}_initramfs ALL DEPENDS ${out})
endfunction()

set(DEBIAN_TOOL ${CMAKE_SOURCE_DIR}/images/rootfs/debian/build.py)
function(ringfence_add_debian_tar name)
	set(out ${CMAKE_BINARY_DIR}/images/${name}.tar)
	add_custom_command(OUTPUT ${out}
		COMMAND ${CMAKE_COMMAND} -E make_directory ${CMAKE_BINARY_DIR}/images
		COMMAND Python3::Interpreter -B ${DEBIAN_TOOL} --out ${out}
			--log ${CMAKE_BINARY_DIR}/logs/${name}.tar.log
		DEPENDS ${DEBIAN_TOOL}
		COMMENT "Installing Debian into ${name}.tar (a minute or two, once)"
		VERBATIM)
endfunction()

function(ringfence_add_static_program name)
	cmake_parse_arguments(PARSE_ARGV 1 ARG "" "" "SOURCES;LIBS")
	add_executable(${name} ${ARG_UNPARSED_ARGUMENTS} ${ARG_SOURCES})
	target_compile_options(${name} PRIVATE -std=gnu11 -O2 -g -Wall -Wextra -Werror)
	target_link_options(${name} PRIVATE -static)
	target_link_libraries(${name} PRIVATE ${ARG_LIBS})
endfunction()
