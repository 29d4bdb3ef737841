module probe

go 1.22

require github.com/genuinetools/amicontained v0.4.9
