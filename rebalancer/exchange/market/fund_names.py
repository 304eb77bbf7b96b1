"""Exchange-traded funds and crypto pairs beside those of `listing`, in the form of `stock_names`.

A fund of one sector has that sector's word, so that its limit counts both. Pairs below a dollar are left out, because
prices are whole cents.
"""

from __future__ import annotations

from typing import Final

FUNDS: Final = """
DIA   | SPDR Dow Jones Industrial Average  | Index Fund    | 461.00 | 0.15 | 4200   | ARCA
IJH   | iShares Core S&P Mid-Cap           | Index Fund    | 63.80  | 0.19 | 7800   | ARCA
IJR   | iShares Core S&P Small-Cap         | Index Fund    | 115.00 | 0.22 | 4300   | ARCA
ITOT  | iShares Core S&P Total US Stock    | Index Fund    | 143.00 | 0.16 | 2400   | ARCA
IVE   | iShares S&P 500 Value              | Index Fund    | 206.00 | 0.14 | 700    | ARCA
IVV   | iShares Core S&P 500               | Index Fund    | 662.00 | 0.16 | 6500   | ARCA
IVW   | iShares S&P 500 Growth             | Index Fund    | 119.00 | 0.20 | 2800   | ARCA
IWB   | iShares Russell 1000               | Index Fund    | 361.00 | 0.16 | 900    | ARCA
IWD   | iShares Russell 1000 Value         | Index Fund    | 202.00 | 0.14 | 2100   | ARCA
IWF   | iShares Russell 1000 Growth        | Index Fund    | 461.00 | 0.20 | 1300   | ARCA
IWM   | iShares Russell 2000               | Index Fund    | 229.00 | 0.22 | 36000  | ARCA
IWN   | iShares Russell 2000 Value         | Index Fund    | 172.00 | 0.22 | 900    | ARCA
MDY   | SPDR S&P MidCap 400                | Index Fund    | 579.00 | 0.19 | 750    | ARCA
MTUM  | iShares MSCI USA Momentum          | Index Fund    | 244.00 | 0.21 | 900    | BATS
NOBL  | ProShares Dividend Aristocrats     | Index Fund    | 102.00 | 0.13 | 600    | BATS
OEF   | iShares S&P 100                    | Index Fund    | 331.00 | 0.17 | 500    | ARCA
QQQ   | Invesco QQQ Trust                  | Index Fund    | 585.00 | 0.21 | 58000  | NASDAQ
QQQM  | Invesco NASDAQ 100                 | Index Fund    | 241.00 | 0.21 | 3600   | NASDAQ
QUAL  | iShares MSCI USA Quality           | Index Fund    | 192.00 | 0.16 | 1100   | BATS
RSP   | Invesco S&P 500 Equal Weight       | Index Fund    | 185.00 | 0.15 | 12000  | ARCA
SCHB  | Schwab US Broad Market             | Index Fund    | 25.40  | 0.16 | 5100   | ARCA
SCHD  | Schwab US Dividend Equity          | Index Fund    | 27.00  | 0.14 | 17000  | ARCA
SCHG  | Schwab US Large-Cap Growth         | Index Fund    | 31.60  | 0.20 | 11000  | ARCA
SCHX  | Schwab US Large-Cap                | Index Fund    | 25.90  | 0.16 | 9800   | ARCA
SPLG  | SPDR Portfolio S&P 500             | Index Fund    | 77.50  | 0.16 | 12000  | ARCA
SPLV  | Invesco S&P 500 Low Volatility     | Index Fund    | 71.80  | 0.11 | 2600   | ARCA
USMV  | iShares MSCI USA Min Volatility    | Index Fund    | 94.30  | 0.11 | 2700   | BATS
VB    | Vanguard Small-Cap                 | Index Fund    | 246.00 | 0.20 | 900    | ARCA
VBR   | Vanguard Small-Cap Value           | Index Fund    | 203.00 | 0.19 | 500    | ARCA
VIG   | Vanguard Dividend Appreciation     | Index Fund    | 214.00 | 0.14 | 1300   | ARCA
VO    | Vanguard Mid-Cap                   | Index Fund    | 284.00 | 0.17 | 700    | ARCA
VOO   | Vanguard S&P 500                   | Index Fund    | 606.00 | 0.16 | 8100   | ARCA
VTI   | Vanguard Total Stock Market        | Index Fund    | 324.00 | 0.16 | 4200   | ARCA
VTV   | Vanguard Value                     | Index Fund    | 186.00 | 0.13 | 2900   | ARCA
VUG   | Vanguard Growth                    | Index Fund    | 473.00 | 0.20 | 1300   | ARCA
VYM   | Vanguard High Dividend Yield       | Index Fund    | 139.00 | 0.13 | 1600   | ARCA
ACWI  | iShares MSCI ACWI                  | World Fund    | 136.00 | 0.15 | 3100   | NASDAQ
ASHR  | Xtrackers CSI 300 China            | World Fund    | 33.10  | 0.27 | 5200   | ARCA
EEM   | iShares MSCI Emerging Markets      | World Fund    | 53.20  | 0.19 | 28000  | ARCA
EFA   | iShares MSCI EAFE                  | World Fund    | 92.60  | 0.15 | 15000  | ARCA
EWG   | iShares MSCI Germany               | World Fund    | 40.10  | 0.19 | 2700   | ARCA
EWJ   | iShares MSCI Japan                 | World Fund    | 80.20  | 0.18 | 7600   | ARCA
EWT   | iShares MSCI Taiwan                | World Fund    | 63.10  | 0.23 | 4800   | ARCA
EWY   | iShares MSCI South Korea           | World Fund    | 91.20  | 0.28 | 6900   | ARCA
EWZ   | iShares MSCI Brazil                | World Fund    | 32.60  | 0.28 | 26000  | ARCA
FXI   | iShares China Large-Cap            | World Fund    | 38.90  | 0.29 | 29000  | ARCA
IEFA  | iShares Core MSCI EAFE             | World Fund    | 86.80  | 0.15 | 11000  | BATS
IEMG  | iShares Core MSCI Emerging         | World Fund    | 65.90  | 0.19 | 11000  | ARCA
INDA  | iShares MSCI India                 | World Fund    | 54.40  | 0.16 | 6800   | BATS
KWEB  | KraneShares CSI China Internet     | World Fund    | 37.80  | 0.36 | 21000  | ARCA
MCHI  | iShares MSCI China                 | World Fund    | 61.90  | 0.27 | 4200   | NASDAQ
VEA   | Vanguard Developed Markets         | World Fund    | 59.80  | 0.15 | 16000  | ARCA
VEU   | Vanguard All-World ex-US           | World Fund    | 71.90  | 0.15 | 3200   | ARCA
VGK   | Vanguard Europe                    | World Fund    | 79.10  | 0.16 | 3000   | ARCA
VT    | Vanguard Total World Stock         | World Fund    | 136.50 | 0.15 | 2400   | ARCA
VWO   | Vanguard Emerging Markets          | World Fund    | 54.00  | 0.18 | 9300   | ARCA
VXUS  | Vanguard Total International       | World Fund    | 73.40  | 0.15 | 4300   | NASDAQ
BIL   | SPDR 1-3 Month T-Bill              | Bond Fund     | 91.60  | 0.01 | 9800   | ARCA
BIV   | Vanguard Intermediate-Term Bond    | Bond Fund     | 78.20  | 0.06 | 1500   | ARCA
BND   | Vanguard Total Bond Market         | Bond Fund     | 74.30  | 0.06 | 7200   | NASDAQ
BNDX  | Vanguard Total International Bond  | Bond Fund     | 49.40  | 0.05 | 3600   | NASDAQ
BSV   | Vanguard Short-Term Bond           | Bond Fund     | 78.80  | 0.03 | 2900   | ARCA
EMB   | iShares Emerging Markets USD Bond  | Bond Fund     | 96.20  | 0.08 | 7400   | NASDAQ
GOVT  | iShares US Treasury Bond           | Bond Fund     | 23.20  | 0.06 | 9600   | BATS
HYG   | iShares High Yield Corporate Bond  | Bond Fund     | 80.30  | 0.07 | 38000  | ARCA
IEF   | iShares 7-10 Year Treasury         | Bond Fund     | 97.10  | 0.08 | 8600   | NASDAQ
IEI   | iShares 3-7 Year Treasury          | Bond Fund     | 119.50 | 0.05 | 1800   | NASDAQ
JNK   | SPDR High Yield Bond               | Bond Fund     | 96.90  | 0.07 | 5200   | ARCA
LQD   | iShares Investment Grade Bond      | Bond Fund     | 111.00 | 0.09 | 26000  | ARCA
MBB   | iShares Mortgage-Backed            | Bond Fund     | 95.30  | 0.07 | 2600   | NASDAQ
MUB   | iShares National Muni Bond         | Bond Fund     | 107.10 | 0.05 | 4700   | ARCA
SGOV  | iShares 0-3 Month Treasury         | Bond Fund     | 100.50 | 0.01 | 12000  | ARCA
SHV   | iShares Short Treasury             | Bond Fund     | 110.30 | 0.01 | 2600   | NASDAQ
SHY   | iShares 1-3 Year Treasury          | Bond Fund     | 82.80  | 0.02 | 4300   | NASDAQ
TIP   | iShares TIPS Bond                  | Bond Fund     | 110.80 | 0.06 | 2900   | ARCA
TLT   | iShares 20+ Year Treasury          | Bond Fund     | 89.40  | 0.15 | 36000  | NASDAQ
VCIT  | Vanguard Intermediate Corporate    | Bond Fund     | 83.90  | 0.07 | 9100   | NASDAQ
VCSH  | Vanguard Short-Term Corporate      | Bond Fund     | 79.80  | 0.04 | 3600   | NASDAQ
VGIT  | Vanguard Intermediate Treasury     | Bond Fund     | 60.20  | 0.05 | 2700   | NASDAQ
VTIP  | Vanguard Short-Term TIPS           | Bond Fund     | 50.20  | 0.03 | 1900   | NASDAQ
CPER  | United States Copper Index         | Commodity Fund| 31.20  | 0.25 | 400    | ARCA
DBA   | Invesco Agriculture                | Commodity Fund| 26.20  | 0.14 | 600    | ARCA
DBC   | Invesco Commodity Index            | Commodity Fund| 23.10  | 0.18 | 900    | ARCA
GDX   | VanEck Gold Miners                 | Commodity Fund| 76.30  | 0.38 | 24000  | ARCA
GLD   | SPDR Gold Shares                   | Commodity Fund| 374.00 | 0.18 | 14000  | ARCA
GLDM  | SPDR Gold MiniShares               | Commodity Fund| 80.70  | 0.18 | 5200   | ARCA
IAU   | iShares Gold Trust                 | Commodity Fund| 76.60  | 0.18 | 8300   | ARCA
PDBC  | Invesco Optimum Yield Commodity    | Commodity Fund| 13.40  | 0.17 | 4200   | NASDAQ
SLV   | iShares Silver Trust               | Commodity Fund| 45.90  | 0.33 | 33000  | ARCA
UNG   | United States Natural Gas          | Commodity Fund| 14.10  | 0.52 | 12000  | ARCA
USO   | United States Oil                  | Commodity Fund| 70.20  | 0.34 | 5600   | ARCA
KBE   | SPDR S&P Bank                      | Finance       | 57.30  | 0.26 | 1900   | ARCA
KRE   | SPDR S&P Regional Banking          | Finance       | 60.40  | 0.29 | 16000  | ARCA
VFH   | Vanguard Financials                | Finance       | 126.00 | 0.19 | 500    | ARCA
XLF   | Financial Select Sector SPDR       | Finance       | 51.80  | 0.19 | 41000  | ARCA
SMH   | VanEck Semiconductor               | Technology    | 331.00 | 0.37 | 8700   | NASDAQ
SOXX  | iShares Semiconductor              | Technology    | 279.00 | 0.38 | 6300   | NASDAQ
VGT   | Vanguard Information Technology    | Technology    | 721.00 | 0.26 | 500    | ARCA
XLK   | Technology Select Sector SPDR      | Technology    | 275.00 | 0.25 | 9200   | ARCA
XLC   | Communication Services Select      | Communication | 111.00 | 0.20 | 5100   | ARCA
XLY   | Consumer Discretionary Select      | Retail        | 228.00 | 0.22 | 5200   | ARCA
XRT   | SPDR S&P Retail                    | Retail        | 79.40  | 0.28 | 5700   | ARCA
XHB   | SPDR S&P Homebuilders              | Retail        | 101.00 | 0.28 | 2300   | ARCA
XLP   | Consumer Staples Select Sector     | Staples       | 76.40  | 0.13 | 14000  | ARCA
XLV   | Health Care Select Sector SPDR     | Health Care   | 150.00 | 0.15 | 11000  | ARCA
IBB   | iShares Biotechnology              | Health Care   | 161.00 | 0.24 | 1700   | NASDAQ
XBI   | SPDR S&P Biotech                   | Health Care   | 111.00 | 0.31 | 9600   | ARCA
XLE   | Energy Select Sector SPDR          | Energy        | 89.60  | 0.25 | 16000  | ARCA
XOP   | SPDR Oil & Gas Exploration         | Energy        | 129.00 | 0.32 | 3100   | ARCA
XLI   | Industrial Select Sector SPDR      | Industry      | 150.00 | 0.17 | 9200   | ARCA
ITA   | iShares US Aerospace & Defense     | Industry      | 202.00 | 0.22 | 700    | BATS
XLB   | Materials Select Sector SPDR       | Materials     | 84.90  | 0.19 | 6300   | ARCA
XLU   | Utilities Select Sector SPDR       | Utilities     | 88.40  | 0.17 | 12000  | ARCA
XLRE  | Real Estate Select Sector SPDR     | Real Estate   | 40.90  | 0.18 | 6200   | ARCA
VNQ   | Vanguard Real Estate               | Real Estate   | 89.60  | 0.18 | 4100   | ARCA
AGG   | iShares Core US Aggregate Bond     | Bond Fund     | 100.20 | 0.06 | 8900   | ARCA
"""
COINS: Final = """
AAVE/USD | Aave / US Dollar                | Crypto        | 172.00 | 0.85 | 240    | CRYPTO
AVAX/USD | Avalanche / US Dollar           | Crypto        | 14.20  | 0.80 | 5200   | CRYPTO
BCH/USD  | Bitcoin Cash / US Dollar        | Crypto        | 486.00 | 0.68 | 160    | CRYPTO
LINK/USD | Chainlink / US Dollar           | Crypto        | 13.10  | 0.78 | 7400   | CRYPTO
LTC/USD  | Litecoin / US Dollar            | Crypto        | 88.00  | 0.66 | 1900   | CRYPTO
SOL/USD  | Solana / US Dollar              | Crypto        | 134.00 | 0.75 | 8600   | CRYPTO
UNI/USD  | Uniswap / US Dollar             | Crypto        | 6.90   | 0.86 | 9100   | CRYPTO
YFI/USD  | yearn.finance / US Dollar       | Crypto        | 4310.00| 0.82 | 2      | CRYPTO
"""
