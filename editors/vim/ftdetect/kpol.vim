autocmd BufRead,BufNewFile *.kpol setfiletype kpol
