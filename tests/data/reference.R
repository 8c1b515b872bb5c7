# The reference values of the tests that say "tests/data/reference.R", from R's nnet and
# car (apt install r-cran-nnet r-cran-car). Run it in this folder: Rscript reference.R
library(nnet)
suppressMessages(library(car))
options(digits = 9)
cat(R.version.string, "nnet", format(packageVersion("nnet")),
    "car", format(packageVersion("car")), "\n")

fit <- function(formula, data) {  # Anova() needs the call with its arguments
  call <- bquote(multinom(.(formula), .(substitute(data)), Hess = TRUE,
                          trace = FALSE, reltol = 1e-16, maxit = 5000))
  eval(call, parent.frame())
}

cat("\nhsbdemo.csv: prog ~ ses + write\n")
hsb <- read.csv("hsbdemo.csv", stringsAsFactors = TRUE)
hsb$ses <- relevel(hsb$ses, "low")
students <- fit(prog ~ ses + write, hsb)
print(summary(students)[c("coefficients", "standard.errors")])
print(c(loglik = logLik(students), AIC = AIC(students)))
profiles <- data.frame(ses = c("low", "middle", "high"), write = mean(hsb$write))
print(predict(students, profiles, "probs"))

cat("\nsysdsn1.csv: insure ~ age + male + nonwhite + isite2 + isite3\n")
insured <- read.csv("sysdsn1.csv", na.strings = "", stringsAsFactors = TRUE)
columns <- c("insure", "age", "male", "nonwhite", "isite2", "isite3")
complete <- na.omit(insured[columns])
manual <- fit(insure ~ age + male + nonwhite + isite2 + isite3, complete)
print(summary(manual)[c("coefficients", "standard.errors")])
print(linearHypothesis(manual, outer(paste0(c("Prepaid", "Uninsure"), ":"),
                                     c("isite2", "isite3"), paste0)))
p <- fitted(manual)[, "Indemnity"]
print(c(n = length(p), mean = mean(p), sd = sd(p), min = min(p), max = max(p)))

cat("\nsysdsn1.csv: Hausman's tests of insure ~ age + male\n")
some <- na.omit(insured[c("insure", "age", "male")])
everything <- fit(insure ~ age + male, some)
for (omitted in c("Uninsure", "Prepaid")) {
  fewer <- droplevels(subset(some, insure != omitted))
  binary <- glm(insure ~ age + male, binomial, fewer,
                control = glm.control(epsilon = 1e-15))
  other <- levels(fewer$insure)[2]
  d <- coef(binary) - coef(everything)[other, ]
  rows <- paste0(other, ":", names(d))
  V <- vcov(binary) - vcov(everything)[rows, rows]
  statistic <- drop(d %*% solve(V, d))
  print(c(omitted = omitted, statistic = format(statistic, digits = 9),
          p = format(pchisq(statistic, 3, lower.tail = FALSE), digits = 9)))
}

cat("\nwomenlf.csv: partic ~ hincome + childrenpresent\n")
women <- read.csv("womenlf.csv")
women$partic <- factor(women$partic)
print(as.data.frame(Anova(fit(partic ~ hincome + childrenpresent, women))))

cat("\nwomenlf.csv: mean effects of childrenpresent on class 0, all columns\n")
model <- fit(partic ~ ., women)
D <- model.matrix(model)
probabilities <- function(b, D) {
  E <- exp(cbind(0, D %*% t(matrix(b, 2, byrow = TRUE))))
  E / rowSums(E)
}
set_to <- function(value) replace(D, cbind(seq_len(nrow(D)), 3), value)
effects <- function(b) {
  B <- rbind(0, matrix(b, 2, byrow = TRUE))
  P <- probabilities(b, D)
  c(difference = mean(probabilities(b, set_to(1))[, 1]) -
      mean(probabilities(b, set_to(0))[, 1]),
    derivative = mean(P[, 1] * (B[1, 3] - P %*% B[, 3])))
}
b <- c(t(coef(model)))
J <- sapply(seq_along(b), function(j) {
  h <- replace(0 * b, j, 1e-5)
  (effects(b + h) - effects(b - h)) / 2e-5
})
print(rbind(effect = effects(b), se = sqrt(diag(J %*% vcov(model) %*% t(J)))))
