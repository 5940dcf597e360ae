# client.tcl - the Tcl side of the benchmark: does what it reads from standard input.
#
#   tclsh client.tcl PKGDIR
#
# Commands, one a line, and the answers, one line each:
#   port N    use the manager at port N of this host    ready
#   find N    N times findServer app_5 user             MICROSECONDS PORT
#   list N    N times listPorts                         MICROSECONDS COUNT
# A command that fails answers `error MESSAGE`. The script ends at the end of its input.

lappend auto_path [lindex $argv 0]
package require portAllocator

proc find_repeatedly {times} {
    set begun [clock microseconds]
    for {set i 0} {$i < $times} {incr i} {
        set port [::p findServer app_5 user]
    }
    return [list [expr {[clock microseconds] - $begun}] $port]
}

proc list_repeatedly {times} {
    set begun [clock microseconds]
    for {set i 0} {$i < $times} {incr i} {
        set ports [::p listPorts]
    }
    return [list [expr {[clock microseconds] - $begun}] [llength $ports]]
}

proc answer {command number} {
    switch -exact -- $command {
        port {
            ::portAllocator create ::p -hostname 127.0.0.1 -port $number
            return ready
        }
        find {
            return [find_repeatedly $number]
        }
        list {
            return [list_repeatedly $number]
        }
    }
    error "unknown command $command"
}

fconfigure stdout -buffering line -translation lf
while {[gets stdin line] >= 0} {
    if {[catch {answer {*}$line} result]} {
        set result "error [string map {\n { }} $result]"
    }
    puts $result
}
