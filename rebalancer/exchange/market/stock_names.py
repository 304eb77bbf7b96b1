"""Large US stocks beside those of `listing`: symbol, name, sector, USD, volatility, thousand shares a day, venue.

Levels are roughly those of the anchor session; the prices are simulated, and sectors are plain words of our own.
"""

from __future__ import annotations

from typing import Final

STOCKS: Final = """
ACN   | Accenture plc                      | Technology    | 246.00 | 0.29 | 4200   | NYSE
ADBE  | Adobe Inc.                         | Technology    | 324.00 | 0.33 | 4100   | NASDAQ
AMAT  | Applied Materials Inc.             | Technology    | 225.00 | 0.42 | 7900   | NASDAQ
AMD   | Advanced Micro Devices Inc.        | Technology    | 223.00 | 0.52 | 52000  | NASDAQ
CRWD  | CrowdStrike Holdings Inc.          | Technology    | 512.00 | 0.42 | 2800   | NASDAQ
CSCO  | Cisco Systems Inc.                 | Technology    | 76.50  | 0.23 | 21000  | NASDAQ
IBM   | International Business Machines    | Technology    | 297.00 | 0.27 | 4300   | NYSE
INTC  | Intel Corporation                  | Technology    | 34.60  | 0.50 | 84000  | NASDAQ
INTU  | Intuit Inc.                        | Technology    | 648.00 | 0.30 | 1700   | NASDAQ
LRCX  | Lam Research Corporation           | Technology    | 147.00 | 0.45 | 11000  | NASDAQ
MRVL  | Marvell Technology Inc.            | Technology    | 79.80  | 0.56 | 17000  | NASDAQ
MU    | Micron Technology Inc.             | Technology    | 226.00 | 0.52 | 22000  | NASDAQ
NOW   | ServiceNow Inc.                    | Technology    | 811.00 | 0.34 | 1600   | NYSE
PANW  | Palo Alto Networks Inc.            | Technology    | 186.00 | 0.35 | 6200   | NASDAQ
PLTR  | Palantir Technologies Inc.         | Technology    | 165.00 | 0.60 | 62000  | NASDAQ
QCOM  | Qualcomm Inc.                      | Technology    | 163.00 | 0.34 | 8400   | NASDAQ
SHOP  | Shopify Inc. Class A               | Technology    | 146.00 | 0.52 | 8600   | NASDAQ
SMCI  | Super Micro Computer Inc.          | Technology    | 33.40  | 0.72 | 31000  | NASDAQ
TXN   | Texas Instruments Inc.             | Technology    | 158.00 | 0.31 | 6700   | NASDAQ
UBER  | Uber Technologies Inc.             | Technology    | 84.60  | 0.38 | 18000  | NYSE
CMCSA | Comcast Corporation Class A        | Communication | 27.10  | 0.27 | 31000  | NASDAQ
GOOG  | Alphabet Inc. Class C              | Communication | 293.40 | 0.29 | 24000  | NASDAQ
ROKU  | Roku Inc.                          | Communication | 94.50  | 0.55 | 4200   | NASDAQ
SPOT  | Spotify Technology S.A.            | Communication | 611.00 | 0.40 | 1900   | NYSE
T     | AT&T Inc.                          | Communication | 25.60  | 0.22 | 42000  | NYSE
TMUS  | T-Mobile US Inc.                   | Communication | 213.00 | 0.23 | 4900   | NASDAQ
VZ    | Verizon Communications Inc.        | Communication | 41.20  | 0.21 | 24000  | NYSE
WBD   | Warner Bros. Discovery Inc.        | Communication | 23.30  | 0.48 | 46000  | NASDAQ
ABNB  | Airbnb Inc. Class A                | Retail        | 116.00 | 0.35 | 4600   | NASDAQ
AZO   | AutoZone Inc.                      | Retail        | 3820.00| 0.23 | 150    | NYSE
BKNG  | Booking Holdings Inc.              | Retail        | 4760.00| 0.29 | 260    | NASDAQ
CMG   | Chipotle Mexican Grill Inc.        | Retail        | 32.10  | 0.36 | 21000  | NYSE
DHI   | D.R. Horton Inc.                   | Retail        | 143.00 | 0.35 | 3300   | NYSE
F     | Ford Motor Company                 | Retail        | 12.90  | 0.36 | 62000  | NYSE
GM    | General Motors Company             | Retail        | 70.20  | 0.36 | 9800   | NYSE
LOW   | Lowe's Companies Inc.              | Retail        | 226.00 | 0.25 | 2900   | NYSE
ORLY  | O'Reilly Automotive Inc.           | Retail        | 99.20  | 0.22 | 5400   | NASDAQ
RCL   | Royal Caribbean Group              | Retail        | 252.00 | 0.42 | 2400   | NYSE
SBUX  | Starbucks Corporation              | Retail        | 83.90  | 0.30 | 8900   | NASDAQ
TGT   | Target Corporation                 | Retail        | 87.10  | 0.36 | 6900   | NYSE
TJX   | TJX Companies Inc.                 | Retail        | 149.00 | 0.20 | 5400   | NYSE
CL    | Colgate-Palmolive Company          | Staples       | 78.60  | 0.18 | 5300   | NYSE
DG    | Dollar General Corporation         | Staples       | 103.00 | 0.36 | 3100   | NYSE
GIS   | General Mills Inc.                 | Staples       | 47.30  | 0.20 | 6100   | NYSE
KHC   | Kraft Heinz Company                | Staples       | 24.90  | 0.22 | 13000  | NASDAQ
KR    | Kroger Company                     | Staples       | 66.50  | 0.24 | 5800   | NYSE
MDLZ  | Mondelez International Inc.        | Staples       | 56.20  | 0.20 | 9300   | NASDAQ
MNST  | Monster Beverage Corporation       | Staples       | 71.40  | 0.23 | 6200   | NASDAQ
MO    | Altria Group Inc.                  | Staples       | 58.30  | 0.20 | 9200   | NYSE
PEP   | PepsiCo Inc.                       | Staples       | 145.00 | 0.19 | 7100   | NASDAQ
PM    | Philip Morris International        | Staples       | 154.00 | 0.24 | 5300   | NYSE
ABBV  | AbbVie Inc.                        | Health Care   | 233.00 | 0.24 | 5600   | NYSE
ABT   | Abbott Laboratories                | Health Care   | 127.00 | 0.20 | 6200   | NYSE
AMGN  | Amgen Inc.                         | Health Care   | 337.00 | 0.24 | 2600   | NASDAQ
BMY   | Bristol-Myers Squibb Company       | Health Care   | 46.60  | 0.25 | 14000  | NYSE
BSX   | Boston Scientific Corporation      | Health Care   | 99.80  | 0.23 | 8300   | NYSE
CVS   | CVS Health Corporation             | Health Care   | 78.20  | 0.30 | 8700   | NYSE
DHR   | Danaher Corporation                | Health Care   | 224.00 | 0.27 | 3900   | NYSE
GILD  | Gilead Sciences Inc.               | Health Care   | 126.00 | 0.25 | 7400   | NASDAQ
HCA   | HCA Healthcare Inc.                | Health Care   | 476.00 | 0.27 | 1200   | NYSE
HUM   | Humana Inc.                        | Health Care   | 233.00 | 0.40 | 1800   | NYSE
ISRG  | Intuitive Surgical Inc.            | Health Care   | 557.00 | 0.31 | 2100   | NASDAQ
MDT   | Medtronic plc                      | Health Care   | 100.50 | 0.20 | 6500   | NYSE
MRNA  | Moderna Inc.                       | Health Care   | 23.80  | 0.66 | 10500  | NASDAQ
PFE   | Pfizer Inc.                        | Health Care   | 24.80  | 0.24 | 44000  | NYSE
REGN  | Regeneron Pharmaceuticals          | Health Care   | 697.00 | 0.30 | 900    | NASDAQ
SYK   | Stryker Corporation                | Health Care   | 367.00 | 0.22 | 1400   | NYSE
TMO   | Thermo Fisher Scientific Inc.      | Health Care   | 584.00 | 0.27 | 1900   | NYSE
VRTX  | Vertex Pharmaceuticals Inc.        | Health Care   | 425.00 | 0.27 | 1400   | NASDAQ
AXP   | American Express Company           | Finance       | 351.00 | 0.27 | 2900   | NYSE
BLK   | BlackRock Inc.                     | Finance       | 1034.00| 0.25 | 660    | NYSE
BX    | Blackstone Inc.                    | Finance       | 141.00 | 0.34 | 4600   | NYSE
C     | Citigroup Inc.                     | Finance       | 100.10 | 0.29 | 13000  | NYSE
CB    | Chubb Limited                      | Finance       | 295.00 | 0.20 | 1700   | NYSE
CME   | CME Group Inc.                     | Finance       | 278.00 | 0.20 | 2200   | NASDAQ
COF   | Capital One Financial              | Finance       | 209.00 | 0.33 | 3600   | NYSE
COIN  | Coinbase Global Inc. Class A       | Finance       | 257.00 | 0.70 | 11000  | NASDAQ
GS    | Goldman Sachs Group Inc.           | Finance       | 776.00 | 0.28 | 2100   | NYSE
HOOD  | Robinhood Markets Inc.             | Finance       | 116.00 | 0.66 | 32000  | NASDAQ
ICE   | Intercontinental Exchange          | Finance       | 153.00 | 0.20 | 3400   | NYSE
KKR   | KKR & Co. Inc.                     | Finance       | 117.00 | 0.36 | 4800   | NYSE
MA    | Mastercard Inc.                    | Finance       | 536.00 | 0.21 | 2800   | NYSE
MET   | MetLife Inc.                       | Finance       | 76.40  | 0.25 | 3800   | NYSE
MS    | Morgan Stanley                     | Finance       | 162.00 | 0.28 | 5900   | NYSE
PGR   | Progressive Corporation            | Finance       | 226.00 | 0.25 | 3500   | NYSE
PYPL  | PayPal Holdings Inc.               | Finance       | 61.10  | 0.35 | 16000  | NASDAQ
SCHW  | Charles Schwab Corporation         | Finance       | 92.30  | 0.27 | 9200   | NYSE
SOFI  | SoFi Technologies Inc.             | Finance       | 26.40  | 0.62 | 64000  | NASDAQ
SPGI  | S&P Global Inc.                    | Finance       | 491.00 | 0.21 | 1600   | NYSE
TFC   | Truist Financial Corporation       | Finance       | 44.70  | 0.27 | 8400   | NYSE
WFC   | Wells Fargo & Company              | Finance       | 84.20  | 0.27 | 15000  | NYSE
EOG   | EOG Resources Inc.                 | Energy        | 107.00 | 0.29 | 3600   | NYSE
KMI   | Kinder Morgan Inc.                 | Energy        | 27.10  | 0.21 | 14000  | NYSE
MPC   | Marathon Petroleum Corporation     | Energy        | 195.00 | 0.33 | 2300   | NYSE
OXY   | Occidental Petroleum               | Energy        | 41.60  | 0.33 | 11000  | NYSE
PSX   | Phillips 66                        | Energy        | 137.00 | 0.31 | 2700   | NYSE
SLB   | SLB Limited                        | Energy        | 36.20  | 0.34 | 16000  | NYSE
VLO   | Valero Energy Corporation          | Energy        | 177.00 | 0.34 | 3200   | NYSE
WMB   | Williams Companies Inc.            | Energy        | 60.20  | 0.23 | 6700   | NYSE
BA    | Boeing Company                     | Industry      | 180.00 | 0.36 | 8400   | NYSE
CSX   | CSX Corporation                    | Industry      | 34.20  | 0.24 | 14000  | NASDAQ
DAL   | Delta Air Lines Inc.               | Industry      | 58.40  | 0.42 | 9200   | NYSE
DE    | Deere & Company                    | Industry      | 474.00 | 0.27 | 1500   | NYSE
EMR   | Emerson Electric Co.               | Industry      | 127.00 | 0.30 | 3100   | NYSE
ETN   | Eaton Corporation plc              | Industry      | 338.00 | 0.32 | 2800   | NYSE
FDX   | FedEx Corporation                  | Industry      | 266.00 | 0.31 | 1700   | NYSE
GD    | General Dynamics Corporation       | Industry      | 342.00 | 0.19 | 1200   | NYSE
GEV   | GE Vernova Inc.                    | Industry      | 571.00 | 0.48 | 2900   | NYSE
LMT   | Lockheed Martin Corporation        | Industry      | 466.00 | 0.22 | 1500   | NYSE
LUV   | Southwest Airlines Co.             | Industry      | 32.10  | 0.38 | 8900   | NYSE
MMM   | 3M Company                         | Industry      | 166.00 | 0.26 | 3300   | NYSE
NOC   | Northrop Grumman Corporation       | Industry      | 567.00 | 0.21 | 850    | NYSE
RTX   | RTX Corporation                    | Industry      | 172.00 | 0.23 | 5300   | NYSE
UAL   | United Airlines Holdings Inc.      | Industry      | 92.40  | 0.47 | 6600   | NASDAQ
UNP   | Union Pacific Corporation          | Industry      | 222.00 | 0.22 | 3100   | NYSE
WM    | Waste Management Inc.              | Industry      | 211.00 | 0.18 | 2000   | NYSE
APD   | Air Products and Chemicals         | Materials     | 259.00 | 0.26 | 1300   | NYSE
DOW   | Dow Inc.                           | Materials     | 22.10  | 0.38 | 14000  | NYSE
NEM   | Newmont Corporation                | Materials     | 85.00  | 0.39 | 11000  | NYSE
NUE   | Nucor Corporation                  | Materials     | 148.00 | 0.34 | 1900   | NYSE
SHW   | Sherwin-Williams Company           | Materials     | 326.00 | 0.24 | 1800   | NYSE
AEP   | American Electric Power            | Utilities     | 121.00 | 0.19 | 3400   | NASDAQ
CEG   | Constellation Energy               | Utilities     | 340.00 | 0.46 | 3200   | NASDAQ
EXC   | Exelon Corporation                 | Utilities     | 45.70  | 0.18 | 6900   | NASDAQ
SO    | Southern Company                   | Utilities     | 90.10  | 0.17 | 5200   | NYSE
VST   | Vistra Corp.                       | Utilities     | 172.00 | 0.52 | 5200   | NYSE
CCI   | Crown Castle Inc.                  | Real Estate   | 89.90  | 0.26 | 3100   | NYSE
DLR   | Digital Realty Trust Inc.          | Real Estate   | 155.00 | 0.28 | 2000   | NYSE
EQIX  | Equinix Inc.                       | Real Estate   | 743.00 | 0.27 | 620    | NASDAQ
O     | Realty Income Corporation          | Real Estate   | 56.70  | 0.18 | 5600   | NYSE
PSA   | Public Storage                     | Real Estate   | 271.00 | 0.22 | 900    | NYSE
SPG   | Simon Property Group Inc.          | Real Estate   | 182.00 | 0.24 | 1500   | NYSE
WELL  | Welltower Inc.                     | Real Estate   | 199.00 | 0.22 | 3000   | NYSE
"""
